//! A cancel is a request to the saga, at any moment, once or repeatedly.

use sandbox::{Fault, Kind, Operation};
use serde_json::json;

use crate::support::app::TestApp;
use crate::support::client::cart;
use crate::support::ledger::{all_orders, violations};
use crate::support::service::eventually;

#[tokio::test]
async fn a_confirmed_order_is_cancelled_once_everything_is_undone() {
    let app = TestApp::start().await;
    let placed = app.customer(5).place(&cart("SKU0001", 2, "10.00")).await;
    let cancelled = app.customer(5).cancel(placed.order_id()).await;
    assert_eq!(cancelled.status, 200, "{cancelled:?}");
    assert_eq!(cancelled.body["order_status"], "CANCELLED");
    assert_eq!(cancelled.body["payment_status"], "REFUNDED");
    assert_eq!(cancelled.body["shipping_status"], "CANCELLED");
    assert_eq!(cancelled.body["cancel_reason"], "customer_request");
    assert_eq!(cancelled.body["cancel_requested"], false);
    assert_eq!(cancelled.body["available_actions"], json!([]));
    let history = app.customer(5).history(placed.order_id()).await;
    assert_eq!(
        history[5..],
        [
            "cancel_requested",
            "shipment_cancelled",
            "calling_off",
            "payment_refunded",
            "stock_released",
            "order_cancelled"
        ]
    );
    let ledger = app.sandbox.ledger();
    assert_eq!(
        violations(&all_orders(&app.staff()).await, &ledger),
        [""; 0]
    );
    assert!(ledger.stock.iter().all(|row| row.reserved == 0));
}

#[tokio::test]
async fn a_repeated_cancel_is_idempotent() {
    let app = TestApp::start().await;
    let placed = app.customer(5).place(&cart("SKU0001", 1, "10.00")).await;
    let (customer, staff) = (app.customer(5), app.staff());
    let (first, second) = tokio::join!(
        customer.cancel(placed.order_id()),
        staff.cancel(placed.order_id())
    );
    let third = app.customer(5).cancel(placed.order_id()).await;
    for reply in [first, second, third] {
        assert_eq!(
            (reply.status, &reply.body["order_status"]),
            (200, &json!("CANCELLED")),
            "{reply:?}"
        );
    }
    assert_eq!(app.sandbox.ledger().refunds.len(), 1);
}

#[tokio::test]
async fn an_order_with_a_parcel_in_transit_cannot_be_cancelled() {
    let app = TestApp::start().await;
    let placed = app.customer(5).place(&cart("SKU0001", 1, "10.00")).await;
    // The carrier has the parcel, and the service does not know it yet.
    app.sandbox
        .set_fault(Fault::new(Operation::Follow, Kind::ErrorBefore));
    app.sandbox.advance_parcels();
    app.sandbox.advance_parcels();
    let asked = async { app.customer(5).cancel(placed.order_id()).await };
    let heard = async {
        eventually("the cancel request is stored", async || {
            let order = app.customer(5).details(placed.order_id()).await.body;
            (order["cancel_requested"] == true).then_some(())
        })
        .await;
        app.sandbox.clear_faults();
    };
    let (refused, ()) = tokio::join!(asked, heard);
    refused.assert_problem(409, "cannot-cancel");
    let order = app.customer(5).details(placed.order_id()).await.body;
    assert_eq!(order["payment_status"], "PAID");
    assert_eq!(order["cancel_requested"], false);
    app.customer(5)
        .until_status(placed.order_id(), "SHIPPED")
        .await;
    app.customer(5)
        .cancel(placed.order_id())
        .await
        .assert_problem(409, "cannot-cancel");
    assert_eq!(
        violations(&all_orders(&app.staff()).await, &app.sandbox.ledger()),
        [""; 0]
    );
}

#[tokio::test]
async fn a_cancel_waits_for_an_open_charge_and_then_refunds_it() {
    let app = TestApp::with(&[("SETTLE_WAIT_MS", "100")]).await;
    app.sandbox
        .set_fault(Fault::new(Operation::Charge, Kind::ErrorAfter));
    let placed = app.customer(5).place(&cart("SKU0001", 1, "10.00")).await;
    assert_eq!(placed.status, 202);
    let cancelled = app.customer(5).cancel(placed.order_id()).await;
    assert_eq!(cancelled.status, 202, "{cancelled:?}");
    assert_eq!(cancelled.body["order_status"], "PENDING");
    assert_eq!(cancelled.body["cancel_requested"], true);
    assert_eq!(cancelled.body["available_actions"], json!([]));
    assert!(
        app.sandbox.ledger().refunds.is_empty(),
        "undone while a do was open"
    );
    app.sandbox.clear_faults();
    app.customer(5)
        .until_status(placed.order_id(), "CANCELLED")
        .await;
    assert_eq!(app.sandbox.ledger().refunds.len(), 1);
    assert_eq!(
        violations(&all_orders(&app.staff()).await, &app.sandbox.ledger()),
        [""; 0]
    );
}

#[tokio::test]
async fn an_imported_order_cannot_be_cancelled() {
    let app = TestApp::start().await;
    let mut conn = app.database.connection().await;
    let order_id: i64 = sqlx::query_scalar(
        "insert into orders (customer_id, order_status, payment_status, shipping_status, currency, \
         subtotal, tax, shipping_fee, order_total) \
         values (5, 'CONFIRMED', 'PAID', 'UNKNOWN', 'USD', 1, 0, 0, 1) returning order_id",
    )
    .fetch_one(&mut conn)
    .await
    .unwrap();
    app.customer(5)
        .cancel(order_id)
        .await
        .assert_problem(409, "cannot-cancel");
}

#[tokio::test]
async fn updates_during_an_open_cancel_are_left_to_shipping() {
    let app = TestApp::start().await;
    let placed = app.customer(5).place(&cart("SKU0001", 1, "10.00")).await;
    app.sandbox
        .set_fault(Fault::new(Operation::Cancel, Kind::ErrorBefore));
    let asked = async { app.customer(5).cancel(placed.order_id()).await };
    let heard = async {
        eventually("the cancel request is stored", async || {
            let order = app.customer(5).details(placed.order_id()).await.body;
            (order["cancel_requested"] == true).then_some(())
        })
        .await;
        let path = format!("/v1/orders/{}/update/", placed.order_id());
        let news = json!({ "shipping_status": "SHIPPED" });
        let heard = app.staff().patch(&path, &news).await;
        assert_eq!(
            (heard.status, &heard.body["order_status"]),
            (200, &json!("CONFIRMED"))
        );
        app.sandbox.clear_faults();
    };
    let (cancelled, ()) = tokio::join!(asked, heard);
    assert_eq!(cancelled.body["order_status"], "CANCELLED", "{cancelled:?}");
    assert_eq!(
        violations(&all_orders(&app.staff()).await, &app.sandbox.ledger()),
        [""; 0]
    );
}

#[tokio::test]
async fn an_order_whose_parcel_was_abandoned_is_cancelled() {
    let app = TestApp::start().await;
    let placed = app.customer(5).place(&cart("SKU0001", 1, "10.00")).await;
    let shipment_id = app.sandbox.ledger().shipments[0].shipment_id;
    let url = format!(
        "{}v1/shipments/{shipment_id}/status",
        app.sandbox.urls().shipping
    );
    let given_up = reqwest::Client::builder().build().unwrap().patch(url);
    given_up
        .json(&json!({ "status": "CANCELLED" }))
        .send()
        .await
        .unwrap();
    // Shipping also notifies the service, which makes it track the parcel at once.
    let path = format!("/v1/orders/{}/update/", placed.order_id());
    let told = app
        .service()
        .patch(&path, &json!({ "shipping_status": "CANCELLED" }))
        .await;
    assert_eq!(told.status, 200, "{told:?}");
    app.customer(5)
        .until_status(placed.order_id(), "CANCELLED")
        .await;
    assert_eq!(
        violations(&all_orders(&app.staff()).await, &app.sandbox.ledger()),
        [""; 0]
    );
}

#[tokio::test]
async fn a_late_arrival_check_follows_a_compensation() {
    let app = TestApp::with(&[("SWEEP_AFTER_MS", "100")]).await;
    let placed = app.customer(5).place(&cart("SKU0001", 1, "10.00")).await;
    let cancelled = app.customer(5).cancel(placed.order_id()).await;
    eventually("the late-arrival check is over", async || {
        let mut conn = app.database.connection().await;
        let due: Option<bool> = sqlx::query_scalar("select due_at is not null from fulfilments")
            .fetch_one(&mut conn)
            .await
            .unwrap();
        (due == Some(false)).then_some(())
    })
    .await;
    let ledger = app.sandbox.ledger();
    assert_eq!(ledger.calls[&Operation::LookUp], 1);
    let order = app.customer(5).details(placed.order_id()).await.body;
    assert_eq!(
        order["version"], cancelled.body["version"],
        "nothing was found"
    );
    assert_eq!(
        violations(&all_orders(&app.staff()).await, &ledger),
        [""; 0]
    );
}
