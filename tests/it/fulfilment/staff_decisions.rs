//! Stuck orders: listed, retried, and settled by staff.

use sandbox::{Fault, Kind, Operation};
use serde_json::json;

use crate::support::app::TestApp;
use crate::support::client::cart;
use crate::support::ledger::{all_orders, violations};
use crate::support::service::eventually;

/// A stuck order, whose refund Payment has refused.
async fn stuck(app: &TestApp) -> i64 {
    let order_id = app
        .customer(5)
        .place(&cart("SKU0001", 1, "10.00"))
        .await
        .order_id();
    app.sandbox
        .set_fault(Fault::new(Operation::Refund, Kind::Refuse));
    app.customer(5).cancel(order_id).await;
    eventually("the order is stuck", async || {
        let stuck = app.staff().get("/v1/ops/orders/stuck/").await;
        (stuck.body["results"].as_array()?.len() == 1).then_some(())
    })
    .await;
    app.sandbox.clear_faults();
    order_id
}

#[tokio::test]
async fn a_stuck_order_is_listed_with_its_reason_and_can_be_retried() {
    let app = TestApp::start().await;
    let order_id = stuck(&app).await;
    let found = app.staff().get("/v1/ops/orders/stuck/").await.body["results"][0].clone();
    assert_eq!(found["order_id"], order_id);
    assert_eq!(
        (&found["phase"], &found["step"]),
        (&json!("stuck"), &json!("charge_payment"))
    );
    assert!(found["last_answer"].is_string(), "{found}");
    let path = format!("/v1/ops/orders/{order_id}/retry/");
    let retried = app
        .staff()
        .post(&path, &json!({ "reason": "repaired" }))
        .await;
    assert_eq!(retried.status, 200, "{retried:?}");
    app.customer(5).until_status(order_id, "CANCELLED").await;
    let history = app.customer(5).history(order_id).await;
    assert!(
        history.contains(&"person_decided".to_owned()),
        "{history:?}"
    );
    assert_eq!(
        violations(&all_orders(&app.staff()).await, &app.sandbox.ledger()),
        [""; 0]
    );
    let path = format!("/v1/ops/orders/{order_id}/resolve/");
    let body = json!({ "outcome": "completed", "reason": "by mistake" });
    let again = app.staff().post(&path, &body).await;
    again.assert_problem(409, "nothing-to-decide");
}

#[tokio::test]
async fn a_manual_settlement_records_who_and_why() {
    let app = TestApp::start().await;
    let order_id = stuck(&app).await;
    let path = format!("/v1/ops/orders/{order_id}/resolve/");
    let body = json!({ "outcome": "cancelled", "reason": "refunded by bank transfer" });
    let resolved = app.staff().post(&path, &body).await;
    assert_eq!(resolved.status, 200, "{resolved:?}");
    assert_eq!(resolved.body["order_status"], "CANCELLED");
    assert_eq!(resolved.body["payment_status"], "REFUNDED");
    let timeline = app
        .staff()
        .get(&format!("/v1/orders/{order_id}/tracking/"))
        .await
        .body["timeline"]
        .clone();
    let decided = timeline
        .as_array()
        .unwrap()
        .iter()
        .find(|event| event["code"] == "person_decided");
    assert_eq!(decided.unwrap()["actor"], "staff:1000");
}

#[tokio::test]
async fn decisions_are_for_staff_and_need_a_reason() {
    let app = TestApp::start().await;
    let order_id = app
        .customer(5)
        .place(&cart("SKU0001", 1, "10.00"))
        .await
        .order_id();
    app.customer(5)
        .get("/v1/ops/orders/stuck")
        .await
        .assert_problem(403, "forbidden");
    app.service()
        .get("/v1/ops/orders/stuck")
        .await
        .assert_problem(403, "forbidden");
    app.anonymous()
        .get("/v1/ops/orders/stuck")
        .await
        .assert_problem(401, "unauthenticated");
    let path = format!("/v1/ops/orders/{order_id}/resolve/");
    app.customer(5)
        .post(&path, &json!({ "outcome": "completed", "reason": "x" }))
        .await
        .assert_problem(403, "forbidden");
    let faulty = app
        .staff()
        .post(&path, &json!({ "outcome": "perhaps" }))
        .await;
    faulty.assert_problem(400, "invalid-request");
    assert_eq!(faulty.pointers(), ["/outcome", "/reason"]);
}

#[tokio::test]
async fn a_retry_of_an_order_in_progress_is_refused() {
    let app = TestApp::start().await;
    let order_id = app
        .customer(5)
        .place(&cart("SKU0001", 1, "10.00"))
        .await
        .order_id();
    let mut conn = app.database.connection().await;
    for statement in [
        "update orders set order_status = 'SHIPPED', shipping_status = 'SHIPPED'",
        "update fulfilments set phase = 'stuck', step = 'create_shipment', flag = true, due_at = null, \
         leased = false, epoch = epoch + 1",
    ] {
        sqlx::query(statement).execute(&mut conn).await.unwrap();
    }
    let path = format!("/v1/ops/orders/{order_id}/retry/");
    let retried = app
        .staff()
        .post(&path, &json!({ "reason": "let us see" }))
        .await;
    retried.assert_problem(409, "cannot-cancel");
    let path = format!("/v1/ops/orders/{order_id}/resolve/");
    let body = json!({ "outcome": "completed", "reason": "it is on its way" });
    let resolved = app.staff().post(&path, &body).await;
    assert_eq!(
        (resolved.status, &resolved.body["order_status"]),
        (200, &json!("SHIPPED"))
    );
}

#[tokio::test]
async fn idempotency_keys_expire() {
    let app = TestApp::start().await;
    let cart = cart("SKU0001", 1, "10.00");
    for key in ["old", "new"] {
        app.customer(5).place_with_key(key, &cart).await;
    }
    let mut conn = app.database.connection().await;
    let aged =
        "update idempotency_keys set created_at = now() - interval '40 days' where key = 'old'";
    sqlx::query(aged).execute(&mut conn).await.unwrap();
    let month = std::time::Duration::from_secs(30 * 86_400);
    assert_eq!(
        order_service::db::idempotency::purge(&mut conn, month)
            .await
            .unwrap(),
        1
    );
    assert_eq!(app.database.count("idempotency_keys").await, 1);
}

#[tokio::test]
async fn an_order_being_cancelled_cannot_be_confirmed_by_hand() {
    let app = TestApp::start().await;
    let order_id = stuck(&app).await;
    let found = app.staff().get("/v1/ops/orders/stuck/").await.body["results"][0].clone();
    let path = format!("/v1/ops/orders/{order_id}/resolve/");
    let body = json!({ "outcome": "completed", "reason": "it has arrived" });
    let refused = app.staff().post(&path, &body).await;
    refused.assert_problem(409, "invalid-transition");
    let still = app.staff().get("/v1/ops/orders/stuck/").await.body["results"][0].clone();
    assert_eq!(still["since"], found["since"], "it stays where it is found");
}
