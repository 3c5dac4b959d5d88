//! Reservations: which responses count as done.

use serde_json::json;

use super::*;

async fn outcomes(table: Vec<(ScriptedReply, &'static str)>) {
    let fixture = PeersFixture::new(table.iter().map(|(reply, _)| reply.clone())).await;
    for (reply, expected) in table {
        let answer = fixture
            .peers
            .inventory
            .reserve(TAG, "r-1", ORDER, &items())
            .await;
        reason(&answer);
        assert_eq!(answer.label(), expected, "{reply:?} gave {answer:?}");
    }
}

fn whole() -> serde_json::Value {
    json!([
        {"product_id": 7, "warehouse": "WH1", "quantity": 2},
        {"product_id": 7, "warehouse": "WH2", "quantity": 1},
        {"product_id": 8, "warehouse": "WH1", "quantity": 1},
    ])
}

#[tokio::test]
async fn a_reservation_of_every_line_counts_as_done() {
    let body = json!({"success": true, "reservation_id": "r-1", "allocations": whole(), "expires_at": "2030-01-01T00:00:00"});
    outcomes(vec![
        (ScriptedReply::json(200, body.clone()), "yes"),
        (ScriptedReply::json(201, body), "yes"),
        (
            ScriptedReply::json(201, json!({"status": "RESERVED", "reservation_id": "r-1"})),
            "yes",
        ),
        (
            ScriptedReply::json(201, json!({"reservation_id": "r-1", "order_id": "42"})),
            "yes",
        ),
        (
            ScriptedReply::json(201, json!({"status": "PENDING", "allocations": whole()})),
            "yes",
        ),
        (
            ScriptedReply::json(200, json!({"data": {"allocations": whole()}})),
            "yes",
        ),
    ])
    .await;
}

#[tokio::test]
async fn a_partially_successful_reservation_counts_as_refused() {
    outcomes(vec![
        (ScriptedReply::json(200, json!({"status": "PARTIAL"})), "no"),
        (ScriptedReply::json(200, json!({"success": true, "status": "partial", "allocations": whole()})), "no"),
        (ScriptedReply::json(200, json!({"success": false, "message": "not enough"})), "no"),
        (ScriptedReply::json(201, json!({"success": false, "allocations": whole()})), "no"),
        (ScriptedReply::json(201, json!({"status": "FAILED"})), "no"),
        (ScriptedReply::json(200, json!({"success": true, "allocations": []})), "no"),
        (ScriptedReply::json(200, json!({"success": true, "allocations": [{"product_id": 7, "quantity": 4}]})), "no"),
        (ScriptedReply::json(200, json!({"success": true, "allocations": [{"product_id": 7, "quantity": 2}, {"product_id": 8, "quantity": 1}]})), "no"),
    ])
    .await;
}

#[tokio::test]
async fn an_already_reserved_answer_to_a_repeat_counts_as_done() {
    let said = "Already reserved (idempotent)";
    outcomes(vec![
        (ScriptedReply::json(200, json!({"success": true, "message": said})), "yes"),
        (ScriptedReply::json(200, json!({"success": true, "message": said, "allocations": null})), "yes"),
        (ScriptedReply::json(200, json!({"success": true, "message": said, "allocations": []})), "yes"),
        (ScriptedReply::json(200, json!({"success": true, "message": said, "allocations": [{"product_id": 7, "quantity": 1}]})), "no"),
    ])
    .await;
}

#[tokio::test]
async fn a_refused_reservation_has_its_reason() {
    let mut table = Vec::new();
    for status in [400, 404, 409, 422] {
        table.push((
            ScriptedReply::json(status, json!({"detail": "sold out"})),
            "no",
        ));
        table.push((
            ScriptedReply::json(status, json!({"error": "sold out"})),
            "no",
        ));
        table.push((ScriptedReply::text(status, ""), "unclear"));
    }
    outcomes(table).await;
}

#[tokio::test]
async fn any_other_reservation_answer_is_unclear() {
    let mut table: Vec<_> = [401, 403, 405, 408, 425, 429, 500, 502, 503, 504]
        .into_iter()
        .map(|status| {
            (
                ScriptedReply::json(status, json!({"detail": "sold out"})),
                "unclear",
            )
        })
        .collect();
    table.extend([
        (ScriptedReply::json(200, json!({})), "unclear"),
        (
            ScriptedReply::json(200, json!({"message": "thank you"})),
            "unclear",
        ),
        (ScriptedReply::json(200, json!([])), "unclear"),
        (
            ScriptedReply::json(200, json!({"status": "PENDING", "reservation_id": "r-1"})),
            "unclear",
        ),
        (
            ScriptedReply::json(
                200,
                json!({"success": true, "allocations": [{"product_id": 7}]}),
            ),
            "unclear",
        ),
        (
            ScriptedReply::json(202, json!({"success": true})),
            "unclear",
        ),
        (ScriptedReply::text(204, ""), "unclear"),
    ]);
    outcomes(table).await;
}

#[tokio::test]
async fn a_reservation_for_another_order_is_wrong() {
    outcomes(vec![
        (
            ScriptedReply::json(200, json!({"success": true, "order_id": 43})),
            "wrong",
        ),
        (
            ScriptedReply::json(200, json!({"success": true, "order_id": "43"})),
            "wrong",
        ),
        (
            ScriptedReply::json(200, json!({"success": true, "order_id": "42"})),
            "yes",
        ),
    ])
    .await;
}

#[tokio::test]
async fn the_peers_message_is_kept_for_the_operator() {
    let fixture = PeersFixture::new([ScriptedReply::json(
        409,
        json!({"detail": "SKU0007: only 1 left"}),
    )])
    .await;
    let answer = fixture
        .peers
        .inventory
        .reserve(TAG, "r-1", ORDER, &items())
        .await;
    assert_eq!(reason(&answer), "SKU0007: only 1 left");
}
