//! Charges: only an explicit success for the requested amount counts as done.

use order_service::peers::ChargeReceipt;
use serde_json::{Value, json};

use super::*;

async fn outcomes(table: Vec<(ScriptedReply, &'static str)>) {
    let fixture = PeersFixture::new(table.iter().map(|(reply, _)| reply.clone())).await;
    for (reply, expected) in table {
        let answer = fixture.peers.payment.charge(TAG, &charge()).await;
        reason(&answer);
        assert_eq!(answer.label(), expected, "{reply:?} gave {answer:?}");
    }
}

#[tokio::test]
async fn every_success_status_counts_as_done() {
    let words = [
        json!("SUCCESS"),
        json!("completed"),
        json!("Paid"),
        json!(true),
        json!("true"),
    ];
    let table = words.into_iter().enumerate().map(|(at, word)| {
        let status = if at % 2 == 0 { 200 } else { 201 };
        (
            ScriptedReply::json(status, json!({"status": word, "payment_id": 1})),
            "yes",
        )
    });
    outcomes(table.collect()).await;
}

#[tokio::test]
async fn a_payment_id_is_found_in_every_position_and_type() {
    let uuid = "6f1c2a9e-58cc-4372-a567-0e02b2c3d479";
    let table: Vec<(Value, Option<&str>)> = vec![
        (json!({"status": "SUCCESS", "payment_id": 17}), Some("17")),
        (json!({"status": "SUCCESS", "payment_id": "17"}), Some("17")),
        (json!({"status": "SUCCESS", "payment_id": uuid}), Some(uuid)),
        (json!({"status": "SUCCESS", "id": 17}), Some("17")),
        (
            json!({"status": "SUCCESS", "payment": {"payment_id": 17}}),
            Some("17"),
        ),
        (
            json!({"id": "message-1", "payment": {"id": 17, "status": "SUCCESS"}}),
            Some("17"),
        ),
        (json!({"status": "SUCCESS"}), None),
        (json!({"status": "SUCCESS", "payment_id": null}), None),
        (json!({"status": "SUCCESS", "payment_id": ".."}), None),
    ];
    let fixture = PeersFixture::new(
        table
            .iter()
            .map(|(body, _)| ScriptedReply::json(201, body.clone())),
    )
    .await;
    for (body, expected) in table {
        let answer = fixture.peers.payment.charge(TAG, &charge()).await;
        let CallOutcome::Success(ChargeReceipt { payment_id, .. }) = answer else {
            panic!("{body} gave {answer:?}");
        };
        assert_eq!(payment_id.as_deref(), expected, "{body}");
    }
}

#[tokio::test]
async fn a_payment_reference_is_kept() {
    let body = json!({"status": "SUCCESS", "payment": {"payment_id": 1, "reference": "ECI-1"}});
    let fixture = PeersFixture::new([ScriptedReply::json(201, body)]).await;
    let answer = fixture.peers.payment.charge(TAG, &charge()).await;
    let charged = ChargeReceipt {
        payment_id: Some("1".to_owned()),
        reference: Some("ECI-1".to_owned()),
    };
    assert_eq!(answer, CallOutcome::Success(charged));
}

#[tokio::test]
async fn a_decline_is_refused_with_status_402_or_201() {
    outcomes(vec![
        (
            ScriptedReply::json(402, json!({"detail": "declined"})),
            "no",
        ),
        (ScriptedReply::text(402, ""), "no"),
        (
            ScriptedReply::json(201, json!({"status": "FAILED", "payment_id": 9})),
            "no",
        ),
        (ScriptedReply::json(200, json!({"status": false})), "no"),
        (
            ScriptedReply::json(200, json!({"status": "declined"})),
            "no",
        ),
        (
            ScriptedReply::json(
                201,
                json!({"success": true, "payment": {"status": "failed"}}),
            ),
            "no",
        ),
        (ScriptedReply::json(400, json!({"error": "bad card"})), "no"),
        (
            ScriptedReply::json(
                422,
                json!({"detail": [{"loc": ["body", "amount"], "msg": "too much"}]}),
            ),
            "no",
        ),
    ])
    .await;
}

#[tokio::test]
async fn a_charge_without_a_clear_status_is_unclear() {
    outcomes(vec![
        (
            ScriptedReply::json(201, json!({"payment_id": 9})),
            "unclear",
        ),
        (
            ScriptedReply::json(201, json!({"status": "PENDING", "payment_id": 9})),
            "unclear",
        ),
        (
            ScriptedReply::json(200, json!({"status": "PROCESSING"})),
            "unclear",
        ),
        (
            ScriptedReply::json(200, json!({"status": "REFUNDED"})),
            "unclear",
        ),
        (ScriptedReply::json(200, json!({"status": null})), "unclear"),
        (
            ScriptedReply::json(202, json!({"status": "SUCCESS"})),
            "unclear",
        ),
        (ScriptedReply::json(200, json!("SUCCESS")), "unclear"),
        (ScriptedReply::text(204, ""), "unclear"),
        (ScriptedReply::text(200, ""), "unclear"),
        (ScriptedReply::text(200, "<html>Login</html>"), "unclear"),
        (
            ScriptedReply::text(200, r#"{"status": "SUCCESS""#),
            "unclear",
        ),
    ])
    .await;
}

#[tokio::test]
async fn a_status_outside_the_contract_is_unclear() {
    let mut table: Vec<_> = [401, 403, 404, 405, 408, 409, 425, 429, 500, 502, 503, 504]
        .into_iter()
        .map(|status| {
            (
                ScriptedReply::json(status, json!({"detail": "no"})),
                "unclear",
            )
        })
        .collect();
    table.push((ScriptedReply::text(400, ""), "unclear"));
    table.push((ScriptedReply::text(422, ""), "unclear"));
    outcomes(table).await;
}

#[tokio::test]
async fn a_charge_with_another_amount_or_order_is_wrong() {
    let said = |more: Value| {
        let mut body = json!({"status": "SUCCESS", "payment_id": 9});
        body.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        ScriptedReply::json(201, body)
    };
    outcomes(vec![
        (said(json!({"amount": "100.11"})), "wrong"),
        (said(json!({"amount": 10010})), "wrong"),
        (said(json!({"payment": {"amount": 1}})), "wrong"),
        (said(json!({"currency": "INR"})), "wrong"),
        (said(json!({"order_id": 43})), "wrong"),
        (said(json!({"status": "FAILED", "order_id": 43})), "wrong"),
        (said(json!({"status": "PENDING", "amount": 1})), "wrong"),
    ])
    .await;
}

#[tokio::test]
async fn amounts_and_order_ids_may_be_numbers_or_strings() {
    let said = |body: &str| {
        let body = format!(r#"{{"status": "SUCCESS", "payment_id": 9, {body}}}"#);
        (ScriptedReply::text(201, body), "yes")
    };
    outcomes(vec![
        said(r#""amount": 100.1"#),
        said(r#""amount": 100.10"#),
        said(r#""amount": "100.1000""#),
        said(r#""amount": "100.10", "currency": "usd", "order_id": "42""#),
        said(r#""order_id": 42, "payment": {"amount": 1.001e2}"#),
    ])
    .await;
}
