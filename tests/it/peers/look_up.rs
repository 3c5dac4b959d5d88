//! Looking up payments and shipments of an order: lists in every format.

use order_service::domain::status::ShippingStatus;
use order_service::peers::{PaymentRecord, PaymentRecordStatus, ShipmentRecord};
use serde_json::{Value, json};

use super::*;

async fn payments(body: Value) -> CallOutcome<Vec<PaymentRecord>> {
    let fixture = PeersFixture::new([ScriptedReply::json(200, body)]).await;
    fixture.peers.payment.find(TAG, ORDER).await
}

async fn shipments(body: Value) -> CallOutcome<Vec<ShipmentRecord>> {
    let fixture = PeersFixture::new([ScriptedReply::json(200, body)]).await;
    fixture.peers.shipping.find(TAG, ORDER).await
}

fn ids(answer: CallOutcome<Vec<PaymentRecord>>) -> Vec<String> {
    let CallOutcome::Success(records) = answer else {
        panic!("{answer:?}");
    };
    records
        .into_iter()
        .map(|record| record.payment_id)
        .collect()
}

#[tokio::test]
async fn a_list_is_found_at_the_top_level_or_under_known_keys() {
    let list = json!([{"payment_id": 1, "order_id": "42"}, {"id": "2"}]);
    for body in [
        list.clone(),
        json!({"items": list}),
        json!({"data": list}),
        json!({"count": 2, "next": null, "results": list}),
        json!({"payments": list}),
        json!({"success": true, "data": {"items": list, "total": 2}}),
    ] {
        assert_eq!(ids(payments(body).await), ["1", "2"]);
    }
    assert!(ids(payments(json!([])).await).is_empty());
}

#[tokio::test]
async fn payments_carry_state_amount_and_reference() {
    let answer = payments(json!([
        {"payment_id": 1, "status": "success", "amount": "12.5", "reference": "A"},
        {"payment_id": 2, "status": "REFUNDED", "amount": 3},
        {"payment_id": 3, "status": false},
        {"payment_id": 4, "status": "PENDING"},
    ]))
    .await;
    let CallOutcome::Success(records) = answer else {
        panic!("{answer:?}");
    };
    let states: Vec<_> = records.iter().map(|record| record.status).collect();
    use PaymentRecordStatus::{Failed, Other, Refunded, Taken};
    assert_eq!(states, [Taken, Refunded, Failed, Other]);
    assert_eq!(records[0].amount, Some("12.5".parse().unwrap()));
    assert_eq!(records[0].reference.as_deref(), Some("A"));
    assert_eq!(records[2].amount, None);
}

#[tokio::test]
async fn records_of_other_orders_are_filtered_out() {
    let foreign = json!({"payment_id": 1, "order_id": 43});
    let own = json!({"payment_id": 2, "order_id": "42"});
    assert_eq!(ids(payments(json!([foreign, own])).await), ["2"]);
    assert!(ids(payments(json!([foreign])).await).is_empty());
    // A record that is missing on the first page may be on the next.
    for body in [
        json!({"items": [foreign], "next": "/v1/payments?page=2"}),
        json!({"items": [foreign], "total": 2}),
    ] {
        assert_eq!(payments(body).await.label(), "unclear");
    }
}

#[tokio::test]
async fn a_response_without_a_list_is_unclear() {
    for body in [
        json!({}),
        json!("none"),
        json!({"items": 3}),
        json!([1, 2]),
        json!([{"status": "SUCCESS"}]),
        json!({"success": false, "data": []}),
    ] {
        let answer = payments(body.clone()).await;
        assert_eq!(answer.label(), "unclear", "{body}");
    }
    let fixture = PeersFixture::new([
        ScriptedReply::json(404, json!({"detail": "none"})),
        ScriptedReply::text(500, ""),
    ])
    .await;
    for _ in 0..2 {
        assert_eq!(
            fixture.peers.payment.find(TAG, ORDER).await.label(),
            "unclear"
        );
    }
}

#[tokio::test]
async fn carrier_statuses_are_case_insensitive_and_kept_verbatim() {
    use ShippingStatus::{Cancelled, Delivered, Failed, Pending, Returned, Shipped};
    let table = [
        ("pending", "PENDING", Some(Pending)),
        ("Packed", "PACKED", Some(Pending)),
        ("PICKED_UP", "PICKED_UP", Some(Shipped)),
        ("shipped", "SHIPPED", Some(Shipped)),
        ("in_transit", "IN_TRANSIT", Some(Shipped)),
        ("OUT_FOR_DELIVERY", "OUT_FOR_DELIVERY", Some(Shipped)),
        ("delivered", "DELIVERED", Some(Delivered)),
        ("FAILED", "FAILED", Some(Failed)),
        ("cancelled", "CANCELLED", Some(Cancelled)),
        ("RETURNED", "RETURNED", Some(Returned)),
        ("lost at sea", "LOST AT SEA", None),
        ("", "UNKNOWN", None),
    ];
    let list: Vec<_> = table
        .iter()
        .map(|(word, ..)| json!({"shipment_id": 1, "status": word}))
        .collect();
    let CallOutcome::Success(found) = shipments(json!(list)).await else {
        panic!("no list");
    };
    for (shipment, (_, word, status)) in found.iter().zip(table) {
        assert_eq!(shipment.status.as_str(), word);
        assert_eq!(shipment.status.shipping_status(), status, "{word}");
    }
}

#[tokio::test]
async fn shipments_are_newest_first_with_utc_as_default_zone() {
    let CallOutcome::Success(found) = shipments(json!({"items": [
        {"shipment_id": "old", "created_at": "2025-02-07 05:28:54"},
        {"shipment_id": "new", "created_at": "2025-02-07T10:00:00Z", "carrier": "DHL", "tracking_no": 77},
        {"shipment_id": "middle", "created_at": "2025-02-07T12:28:54+05:30"},
    ]}))
    .await
    else {
        panic!("no list");
    };
    let ids: Vec<_> = found.iter().map(|one| one.shipment_id.as_str()).collect();
    assert_eq!(ids, ["new", "middle", "old"]);
    assert_eq!(found[0].carrier.as_deref(), Some("DHL"));
    assert_eq!(found[0].tracking_no.as_deref(), Some("77"));
}
