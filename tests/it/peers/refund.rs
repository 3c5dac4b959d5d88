//! Refunds: an "already refunded" response is verified by a look-up.

use serde_json::{Value, json};

use super::*;

async fn refund(fixture: &PeersFixture) -> CallOutcome<()> {
    let payment = &fixture.peers.payment;
    payment
        .refund(TAG, "9", money("100.10"), "cancelled", ORDER)
        .await
}

#[tokio::test]
async fn a_refund_is_classified_by_status_and_body() {
    let table = [
        (
            ScriptedReply::json(200, json!({"status": "REFUNDED", "payment_id": 9})),
            "yes",
        ),
        (
            ScriptedReply::json(201, json!({"status": "success", "amount": "100.10"})),
            "yes",
        ),
        (
            ScriptedReply::json(
                200,
                json!({"status": "success", "payment": {"status": "REFUNDED"}}),
            ),
            "yes",
        ),
        (
            ScriptedReply::json(200, json!({"status": "FAILED", "message": "too late"})),
            "no",
        ),
        (
            ScriptedReply::json(404, json!({"detail": "no such payment"})),
            "no",
        ),
        (
            ScriptedReply::json(200, json!({"status": "REFUNDED", "amount": "100.00"})),
            "wrong",
        ),
        (
            ScriptedReply::json(200, json!({"status": "REFUNDED", "order_id": 43})),
            "wrong",
        ),
        (
            ScriptedReply::json(200, json!({"status": "PENDING"})),
            "unclear",
        ),
        (
            ScriptedReply::json(200, json!({"status": "COMPLETED"})),
            "unclear",
        ),
        (ScriptedReply::json(200, json!({})), "unclear"),
        (
            ScriptedReply::json(400, json!({"detail": "amount is too high"})),
            "unclear",
        ),
        (
            ScriptedReply::json(403, json!({"detail": "already refunded"})),
            "unclear",
        ),
        (ScriptedReply::text(500, ""), "unclear"),
    ];
    let fixture = PeersFixture::new(table.iter().map(|(reply, _)| reply.clone())).await;
    for (reply, expected) in table {
        let answer = refund(&fixture).await;
        reason(&answer);
        assert_eq!(answer.label(), expected, "{reply:?} gave {answer:?}");
    }
}

#[tokio::test]
async fn an_already_refunded_answer_is_verified_by_a_look_up() {
    let shown = |status: &str| json!({"items": [{"payment_id": 1, "status": "SUCCESS"}, {"payment_id": "9", "status": status}]});
    let table: [(&str, Value, &str); 6] = [
        ("Payment already refunded", shown("REFUNDED"), "yes"),
        ("it has been REFUNDED", shown("refunded"), "yes"),
        ("already done", shown("SUCCESS"), "no"),
        ("already done", shown("PENDING"), "no"),
        ("already done", json!([]), "unclear"),
        ("already done", json!({}), "unclear"),
    ];
    for (said, shown, expected) in table {
        for status in [400, 409] {
            let refused = ScriptedReply::json(status, json!({"detail": said}));
            let fixture =
                PeersFixture::new([refused, ScriptedReply::json(200, shown.clone())]).await;
            let answer = refund(&fixture).await;
            reason(&answer);
            assert_eq!(answer.label(), expected, "{said}, {shown}");
            assert_eq!(
                fixture.server.requests()[1].target,
                "/v1/payments?order_id=42"
            );
        }
    }
}

#[tokio::test]
async fn a_failed_look_up_leaves_the_refund_unclear() {
    let refused = ScriptedReply::json(409, json!({"error": "already refunded"}));
    let fixture = PeersFixture::new([
        refused,
        ScriptedReply::text(503, "").header("retry-after", "9"),
    ])
    .await;
    let CallOutcome::Retryable(failure) = refund(&fixture).await else {
        panic!("clear");
    };
    assert_eq!(failure.retry_after, Some(Duration::from_secs(9)));
    assert_eq!(
        fixture.ended(),
        [
            ("payment", "find", "unclear"),
            ("payment", "refund", "unclear")
        ]
    );
}
