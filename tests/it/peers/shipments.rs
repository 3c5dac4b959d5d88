//! Creating and recalling shipments.

use order_service::domain::status::ShippingStatus;
use serde_json::json;

use super::*;

#[tokio::test]
async fn a_created_shipment_is_parsed() {
    let body = json!({"shipment_id": 5, "order_id": "42", "carrier": "DHL", "status": "pending",
        "tracking_no": "TRK1", "created_at": "2025-02-07 05:28:54", "else": []});
    for body in [body.clone(), json!({"success": true, "shipment": body})] {
        let fixture = PeersFixture::new([ScriptedReply::json(201, body)]).await;
        let CallOutcome::Success(shipment) = fixture.peers.shipping.create(TAG, &parcel()).await
        else {
            panic!("not created");
        };
        assert_eq!(shipment.shipment_id, "5");
        assert_eq!(shipment.carrier.as_deref(), Some("DHL"));
        assert_eq!(shipment.tracking_no.as_deref(), Some("TRK1"));
        let status = shipment.status.shipping_status();
        assert_eq!(status, Some(ShippingStatus::Pending));
    }
}

#[tokio::test]
async fn a_create_is_classified_by_status_and_body() {
    let table = [
        (
            ScriptedReply::json(200, json!({"shipment_id": "a-b"})),
            "yes",
        ),
        (
            ScriptedReply::json(201, json!({"shipment_id": 5, "order_id": 43})),
            "wrong",
        ),
        (
            ScriptedReply::json(201, json!({"shipment_id": 5, "status": "FAILED"})),
            "no",
        ),
        (
            ScriptedReply::json(201, json!({"shipment_id": 5, "status": "cancelled"})),
            "no",
        ),
        (
            ScriptedReply::json(200, json!({"success": false, "message": "no such street"})),
            "no",
        ),
        (
            ScriptedReply::json(400, json!({"address": ["too short"]})),
            "no",
        ),
        (ScriptedReply::json(409, json!({"detail": "exists"})), "no"),
        (
            ScriptedReply::json(422, json!({"error": "no carrier"})),
            "no",
        ),
        (ScriptedReply::text(400, ""), "unclear"),
        (
            ScriptedReply::json(201, json!({"status": "PENDING"})),
            "unclear",
        ),
        (
            ScriptedReply::json(201, json!({"shipment_id": null})),
            "unclear",
        ),
        (
            ScriptedReply::json(202, json!({"shipment_id": 5})),
            "unclear",
        ),
        (
            ScriptedReply::json(404, json!({"detail": "Not Found"})),
            "unclear",
        ),
        (
            ScriptedReply::json(403, json!({"detail": "who are you"})),
            "unclear",
        ),
        (ScriptedReply::text(500, ""), "unclear"),
        (ScriptedReply::close(), "unclear"),
    ];
    let fixture = PeersFixture::new(table.iter().map(|(reply, _)| reply.clone())).await;
    for (reply, expected) in table {
        let answer = fixture.peers.shipping.create(TAG, &parcel()).await;
        reason(&answer);
        assert_eq!(answer.label(), expected, "{reply:?} gave {answer:?}");
    }
}

#[tokio::test]
async fn a_shipment_cancel_succeeds_only_when_recalled() {
    let table = [
        (
            ScriptedReply::json(200, json!({"shipment_id": 5, "status": "CANCELLED"})),
            "yes",
        ),
        (
            ScriptedReply::json(200, json!({"message": "updated"})),
            "yes",
        ),
        (
            ScriptedReply::json(
                200,
                json!({"status": "success", "data": {"status": "cancelled"}}),
            ),
            "yes",
        ),
        (ScriptedReply::text(204, ""), "yes"),
        (
            ScriptedReply::json(409, json!({"detail": "Shipment is already cancelled"})),
            "yes",
        ),
        (
            ScriptedReply::json(400, json!({"detail": "cannot be cancelled: SHIPPED"})),
            "no",
        ),
        (
            ScriptedReply::json(
                409,
                json!({"detail": "already shipped, cannot be cancelled"}),
            ),
            "no",
        ),
        (ScriptedReply::text(409, ""), "no"),
        (
            ScriptedReply::json(200, json!({"status": "IN_TRANSIT"})),
            "no",
        ),
        (
            ScriptedReply::json(200, json!({"success": false, "message": "it left"})),
            "no",
        ),
        (
            ScriptedReply::json(200, json!({"status": "PENDING"})),
            "unclear",
        ),
        (
            ScriptedReply::json(200, json!({"status": "CANCEL_REQUESTED"})),
            "unclear",
        ),
        (
            ScriptedReply::json(404, json!({"detail": "Not Found"})),
            "unclear",
        ),
        (ScriptedReply::text(200, "ok"), "unclear"),
        (ScriptedReply::text(502, ""), "unclear"),
    ];
    let fixture = PeersFixture::new(table.iter().map(|(reply, _)| reply.clone())).await;
    for (reply, expected) in table {
        let answer = fixture.peers.shipping.cancel(TAG, "5").await;
        reason(&answer);
        assert_eq!(answer.label(), expected, "{reply:?} gave {answer:?}");
    }
}
