//! The sandbox Payment service.

use std::time::{Duration, Instant};

use sandbox::{ChargeStatus, specials};
use serde_json::{Value, json};

use super::{SandboxShop, a_charge};

#[tokio::test]
async fn a_charge_is_made_once_per_key() {
    let shop = SandboxShop::open().await;
    let (status, first) = shop.charge("k", "12.50").await;
    assert_eq!(
        (status, &first["status"], &first["amount"]),
        (201, &json!("SUCCESS"), &json!("12.50"))
    );
    assert!(first["payment_id"].is_u64());
    assert!(first["reference"].as_str().unwrap().starts_with("PAY-"));
    let (status, again) = shop.charge("k", "12.50").await;
    assert_eq!((status, again), (200, first));
    assert_eq!(shop.sandbox.ledger().charges.len(), 1);
}

#[tokio::test]
async fn a_key_reused_for_another_charge_is_refused() {
    let shop = SandboxShop::open().await;
    shop.charge("k", "12.50").await;
    assert_eq!(shop.charge("k", "12.51").await.0, 409);
    assert_eq!(shop.sandbox.ledger().charges.len(), 1);
}

#[tokio::test]
async fn an_amount_may_be_a_number_or_a_string() {
    let shop = SandboxShop::open().await;
    let mut body = a_charge("k", "");
    body["amount"] = serde_json::from_str("12.5").unwrap();
    let (_, number) = shop.post("/v1/payments/charge", body).await;
    assert_eq!((200, number), shop.charge("k", "12.50").await);
}

#[tokio::test]
async fn an_invalid_charge_amount_is_refused() {
    let shop = SandboxShop::open().await;
    for amount in ["0.00", "-1.00", "1.005", "1e2", "", "ten"] {
        assert_eq!(shop.charge("k", amount).await.0, 422, "{amount}");
    }
    assert!(shop.sandbox.ledger().charges.is_empty());
}

#[tokio::test]
async fn a_charge_key_is_required_in_header_or_body() {
    let shop = SandboxShop::open().await;
    let mut body = a_charge("", "1.00");
    body.as_object_mut().unwrap().remove("idempotency_key");
    assert_eq!(shop.post("/v1/payments/charge", body.clone()).await.0, 400);
    let url = shop
        .sandbox
        .urls()
        .payment
        .join("/v1/payments/charge")
        .unwrap();
    let charge = |body: &Value| {
        shop.client
            .post(url.clone())
            .header("Idempotency-Key", "h")
            .json(body)
            .send()
    };
    assert_eq!(charge(&body).await.unwrap().status(), 201);
    assert_eq!(shop.sandbox.ledger().charges[0].idempotency_key, "h");
    assert_eq!(
        charge(&a_charge("another", "1.00")).await.unwrap().status(),
        400
    );
}

#[tokio::test]
async fn a_refund_is_made_once_per_key_and_marks_the_charge() {
    let shop = SandboxShop::open().await;
    let id = shop.charge("k", "12.50").await.1["payment_id"].take();
    let (status, first) = shop.refund(&id, "f", "12.50").await;
    assert_eq!((status, &first["status"]), (201, &json!("REFUNDED")));
    assert_eq!(shop.refund(&id, "f", "12.50").await, (200, first));
    assert_eq!(
        shop.refund(&id, "f", "1.00").await.0,
        409,
        "another refund, the same key"
    );
    let (status, body) = shop.refund(&id, "g", "12.50").await;
    assert_eq!((status, &body["detail"]), (409, &json!("already refunded")));
    let ledger = shop.sandbox.ledger();
    assert_eq!(ledger.charges[0].status, ChargeStatus::Refunded);
    assert_eq!(ledger.charges[0].refunded, ledger.charges[0].amount);
    assert_eq!(ledger.refunds.len(), 1);
    assert_eq!(
        shop.charge("k", "12.50").await.1["status"],
        "SUCCESS",
        "a repeat tells what it told first"
    );
}

#[tokio::test]
async fn a_refund_never_exceeds_its_charge() {
    let shop = SandboxShop::open().await;
    let id = shop.charge("k", "10.00").await.1["payment_id"].take();
    assert_eq!(shop.refund(&id, "f-1", "6.00").await.0, 201);
    assert_eq!(shop.refund(&id, "f-2", "6.00").await.0, 409);
    assert_eq!(shop.refund(&id, "f-3", "4.00").await.0, 201);
    assert_eq!(shop.refund(&json!(1), "f-4", "4.00").await.0, 404);
    assert_eq!(shop.refund(&json!("x"), "f-5", "4.00").await.0, 404);
}

#[tokio::test]
async fn the_charges_of_an_order_are_listed_newest_first() {
    let shop = SandboxShop::open().await;
    shop.charge("k-1", "1.00").await;
    shop.charge("k-2", "2.00").await;
    let (status, body) = shop.get("/v1/payments?order_id=1").await;
    assert_eq!(status, 200);
    let keys: Vec<&Value> = body["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| &row["idempotency_key"])
        .collect();
    assert_eq!(keys, ["k-2", "k-1"]);
    assert_eq!(
        shop.get("/v1/payments?order_id=2").await,
        (200, json!({ "items": [] }))
    );
    assert_eq!(shop.get("/v1/payments?order_id=x").await.0, 400);
}

#[tokio::test]
async fn special_amounts_are_declined_every_time() {
    let shop = SandboxShop::open().await;
    for _ in 0..2 {
        assert_eq!(
            shop.charge("k-1", &specials::DECLINED.to_string()).await.0,
            402
        );
    }
    for status in [201, 200] {
        let (answered, body) = shop
            .charge("k-2", &specials::FAILED_POLITELY.to_string())
            .await;
        assert_eq!((answered, &body["status"]), (status, &json!("FAILED")));
    }
    let ledger = shop.sandbox.ledger();
    assert!(
        ledger
            .charges
            .iter()
            .all(|row| row.status == ChargeStatus::Failed)
    );
    let id = json!(ledger.charges[1].payment_id);
    assert_eq!(shop.refund(&id, "f", "402.01").await.0, 409);
}

#[tokio::test]
async fn a_special_amount_is_charged_despite_a_first_500() {
    let shop = SandboxShop::open().await;
    assert_eq!(shop.charge("k", "402.03").await.0, 500);
    assert_eq!(shop.sandbox.ledger().charges.len(), 1);
    assert_eq!(shop.charge("k", "402.03").await.0, 200);
    assert_eq!(shop.sandbox.ledger().charges.len(), 1);
}

#[tokio::test]
async fn a_special_amount_is_charged_and_answered_late() {
    let shop = SandboxShop::open().await;
    let url = shop
        .sandbox
        .urls()
        .payment
        .join("/v1/payments/charge")
        .unwrap();
    let charge = shop.client.post(url).json(&a_charge("k", "402.02"));
    let began = Instant::now();
    // The client times out; the charge is still taken, as this special amount promises.
    let error = charge
        .timeout(Duration::from_millis(300))
        .send()
        .await
        .unwrap_err();
    assert!(error.is_timeout(), "{error:?}");
    assert_eq!(shop.sandbox.ledger().charges.len(), 1);
    assert_eq!(shop.charge("k", "402.02").await.0, 200);
    assert!(began.elapsed() < specials::SLOW_ANSWER);
}
