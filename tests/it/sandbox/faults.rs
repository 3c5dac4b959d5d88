//! Injected faults from the client's side.

use std::time::{Duration, Instant};

use reqwest::Method;
use sandbox::{Fault, Kind, Operation};
use serde_json::{Value, json};

use super::{SandboxShop, a_charge};
use crate::support::service::eventually;

/// The possible results of a call for its client.
#[derive(Debug, PartialEq, Eq)]
enum Seen {
    SandboxAnswer(u16),
    NoJson,
    DeadLine,
    HalfAnAnswer,
    NothingInTime,
}

impl SandboxShop {
    async fn see(&self, path: &str, body: &Value) -> Seen {
        let call = self.try_call(Method::POST, path, Some(body));
        let Ok(answer) = tokio::time::timeout(Duration::from_secs(1), call).await else {
            return Seen::NothingInTime;
        };
        match answer {
            Err(error) if error.is_body() || error.is_decode() => Seen::HalfAnAnswer,
            Err(error) => {
                let answered = error.is_status() || error.is_timeout();
                assert!(error.is_request() && !answered, "{error:?}");
                Seen::DeadLine
            }
            Ok((status, text)) if serde_json::from_str::<Value>(&text).is_ok() => {
                Seen::SandboxAnswer(status.as_u16())
            }
            Ok(_) => Seen::NoJson,
        }
    }
}

#[tokio::test]
async fn each_fault_has_its_documented_effect() {
    let cases = [
        (Kind::Refuse, Seen::SandboxAnswer(402), false),
        (Kind::Delay, Seen::SandboxAnswer(201), true),
        (Kind::ErrorBefore, Seen::SandboxAnswer(500), false),
        (Kind::ErrorAfter, Seen::SandboxAnswer(500), true),
        (Kind::DropBefore, Seen::DeadLine, false),
        (Kind::DropAfter, Seen::DeadLine, true),
        (Kind::TooMany, Seen::SandboxAnswer(429), false),
        (Kind::Unavailable, Seen::SandboxAnswer(503), false),
        (Kind::HangBefore, Seen::NothingInTime, false),
        (Kind::HangAfter, Seen::NothingInTime, true),
        (Kind::Garbage, Seen::NoJson, true),
        (Kind::Truncate, Seen::HalfAnAnswer, true),
    ];
    for (kind, seen, executed) in cases {
        let shop = SandboxShop::open().await;
        // Clients may retry by themselves on a reused connection.
        shop.get("/v1/payments?order_id=1").await;
        shop.sandbox.set_fault(Fault::new(Operation::Charge, kind));
        assert_eq!(
            shop.see("/v1/payments/charge", &a_charge("k", "5.00"))
                .await,
            seen,
            "{kind:?}"
        );
        assert_eq!(
            !shop.sandbox.ledger().charges.is_empty(),
            executed,
            "{kind:?}"
        );
        assert_eq!(
            shop.sandbox.ledger().calls[&Operation::Charge],
            1,
            "{kind:?}"
        );
        shop.sandbox.clear_faults();
        let (status, _) = shop.charge("k", "5.00").await;
        assert_eq!(status, if executed { 200 } else { 201 }, "{kind:?}");
        assert_eq!(shop.sandbox.ledger().charges.len(), 1, "{kind:?}");
    }
}

#[tokio::test]
async fn a_refusal_fault_answers_as_the_contract_says() {
    let shop = SandboxShop::open().await;
    shop.sandbox.set_fault(Fault::everywhere(Kind::Refuse));
    let items = json!([{ "sku": "SKU0001", "quantity": 1 }]);
    assert_eq!(shop.reserve("r", items).await.0, 409);
    assert_eq!(shop.commit("r").await.0, 400);
    assert_eq!(shop.charge("k", "1.00").await.0, 402);
    assert_eq!(shop.refund(&json!(1), "k", "1.00").await.0, 404);
    assert_eq!(shop.ship("k").await.0, 409);
    assert_eq!(shop.cancel(&json!(1)).await.0, 409);
}

#[tokio::test]
async fn a_partial_fault_reserves_the_first_line_only() {
    let shop = SandboxShop::open().await;
    shop.sandbox.set_fault(Fault::everywhere(Kind::Partial));
    let items = json!([{ "sku": "A", "quantity": 1 }, { "sku": "B", "quantity": 1 }]);
    let (status, body) = shop.reserve("r", items).await;
    assert_eq!((status, &body["status"]), (200, &json!("PARTIAL")));
    assert_eq!(shop.sandbox.ledger().reservations[0].allocations.len(), 1);
    assert_eq!(
        shop.charge("k", "1.00").await.0,
        201,
        "other operations have no partial"
    );
}

#[tokio::test]
async fn a_forgotten_key_repeats_the_charge_or_parcel() {
    let shop = SandboxShop::open().await;
    shop.sandbox.set_fault(Fault::everywhere(Kind::Again));
    for _ in 0..2 {
        assert_eq!(shop.charge("k", "1.00").await.0, 201);
        assert_eq!(shop.ship("k").await.0, 201);
    }
    let ledger = shop.sandbox.ledger();
    assert_eq!((ledger.charges.len(), ledger.shipments.len()), (2, 2));
}

#[tokio::test]
async fn a_delayed_call_is_executed_without_its_client() {
    let shop = SandboxShop::open().await;
    shop.sandbox
        .set_fault(Fault::new(Operation::Charge, Kind::Delay).after_ms(1000));
    let url = shop
        .sandbox
        .urls()
        .payment
        .join("/v1/payments/charge")
        .unwrap();
    let charge = tokio::spawn(shop.client.post(url).json(&a_charge("k", "5.00")).send());
    eventually("the call arrives", async || {
        (!shop.sandbox.ledger().calls.is_empty()).then_some(())
    })
    .await;
    charge.abort();
    assert!(charge.await.unwrap_err().is_cancelled());
    eventually("the charge is taken", async || {
        (!shop.sandbox.ledger().charges.is_empty()).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_sandbox_stop_does_not_wait_for_delays() {
    let shop = SandboxShop::open().await;
    shop.sandbox
        .set_fault(Fault::new(Operation::Charge, Kind::Delay).after_ms(60_000));
    let url = shop
        .sandbox
        .urls()
        .payment
        .join("/v1/payments/charge")
        .unwrap();
    let charge = tokio::spawn(shop.client.post(url).json(&a_charge("k", "5.00")).send());
    eventually("the call arrives", async || {
        (!shop.sandbox.ledger().calls.is_empty()).then_some(())
    })
    .await;
    let began = Instant::now();
    shop.sandbox.stop().await;
    assert!(began.elapsed() < Duration::from_secs(10));
    assert_eq!(charge.await.unwrap().unwrap().status(), 503);
}

#[tokio::test]
async fn faults_are_configured_over_http() {
    let shop = SandboxShop::open().await;
    let fault = json!({ "operation": "payment.charge", "kind": "error_before", "times": 1 });
    let (status, body) = shop.post("/sandbox/faults", fault).await;
    assert_eq!((status, &body["faults"][0]["rate"]), (201, &json!(1.0)));
    assert_eq!(shop.charge("k", "1.00").await.0, 500);
    assert_eq!(shop.charge("k", "1.00").await.0, 201, "it was for one call");
    shop.post(
        "/sandbox/faults",
        json!({ "operation": "*", "delay_ms": 1 }),
    )
    .await;
    shop.post(
        "/sandbox/faults",
        json!({ "operation": "*", "kind": "refuse", "rate": 0.5 }),
    )
    .await;
    let (_, body) = shop.get("/sandbox/faults").await;
    assert_eq!(body["faults"].as_array().map(Vec::len), Some(2));
    assert_eq!(
        (&body["faults"][0]["operation"], &body["faults"][0]["kind"]),
        (&json!("*"), &json!("delay"))
    );
    assert_eq!(
        shop.call(Method::DELETE, "/sandbox/faults", None).await.0,
        204
    );
    assert_eq!(shop.get("/sandbox/faults").await.1, json!({ "faults": [] }));
}

#[tokio::test]
async fn an_invalid_fault_is_refused_with_the_allowed_values() {
    let shop = SandboxShop::open().await;
    let wrong = [
        json!([]),
        json!({}),
        json!({ "operation": "payment.charge" }),
        json!({ "operation": "payment.charge", "kind": "delay" }),
        json!({ "operation": "payment.steal", "kind": "refuse" }),
        json!({ "operation": "*", "kind": "explode" }),
        json!({ "operation": "*", "kind": "refuse", "rate": 2 }),
        json!({ "operation": "*", "kind": "refuse", "times": 0 }),
        json!({ "operation": "*", "delay_ms": -1 }),
        json!({ "operation": "payment.charge", "kind": "partial" }),
        json!({ "operation": "payment.refund", "kind": "again" }),
        json!({ "operation": "*", "kind": "refuse", "probability": 1 }),
    ];
    for fault in wrong {
        let (status, body) = shop.post("/sandbox/faults", fault.clone()).await;
        assert_eq!(status, 400, "{fault}");
        assert!(
            body["detail"].is_string() && body["allowed"]["kind"].is_array(),
            "{body}"
        );
    }
    let all = json!({ "operation": "x", "kind": "y", "rate": "z" });
    let (_, body) = shop.post("/sandbox/faults", all).await;
    assert_eq!(
        body["detail"]
            .as_str()
            .map(|detail| detail.matches("not allowed").count()),
        Some(3)
    );
    assert_eq!(shop.get("/sandbox/faults").await.1, json!({ "faults": [] }));
}
