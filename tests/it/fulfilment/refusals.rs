//! A definite refusal by any peer cancels the order and leaves no records.

use sandbox::{Fault, Kind, Operation};
use serde_json::json;

use crate::support::app::TestApp;
use crate::support::client::cart;
use crate::support::ledger::{all_orders, violations};

#[tokio::test]
async fn an_order_that_all_peers_accept_is_confirmed() {
    let app = TestApp::start().await;
    let placed = app
        .customer(5)
        .place(&json!({
            "customer_id": 5,
            "items": [
                { "sku": "SKU123", "quantity": 2, "unit_price": 100.0 },
                { "sku": "SKU456", "quantity": 1, "unit_price": 50.0 }
            ]
        }))
        .await;
    assert_eq!(placed.status, 201, "{placed:?}");
    assert_eq!(placed.body["order_total"], "250.00");
    assert_eq!(placed.body["order_status"], "CONFIRMED");
    assert_eq!(placed.body["payment_status"], "PAID");
    assert_eq!(placed.body["shipping_status"], "PENDING");
    assert!(placed.body["tracking_no"].is_string());
    let location = placed.header("location").unwrap();
    assert_eq!(app.customer(5).get(location).await.body, placed.body);
    assert_eq!(
        app.customer(5).history(placed.order_id()).await,
        [
            "order_placed",
            "stock_reserved",
            "payment_taken",
            "shipment_created",
            "order_confirmed"
        ]
    );
    assert_eq!(
        violations(&all_orders(&app.staff()).await, &app.sandbox.ledger()),
        [""; 0]
    );
}

#[tokio::test]
async fn missing_stock_is_a_409_with_the_cancelled_order() {
    let app = TestApp::start().await;
    let placed = app
        .customer(5)
        .place(&cart("OUT-OF-STOCK", 1, "10.00"))
        .await;
    placed.assert_problem(409, "out-of-stock");
    let order = app.customer(5).details(placed.order_id()).await.body;
    assert_eq!(order["order_status"], "CANCELLED");
    assert_eq!(order["cancel_reason"], "out_of_stock");
    assert_eq!(placed.body["order"], order);
    assert_eq!(violations(&[order], &app.sandbox.ledger()), [""; 0]);
}

#[tokio::test]
async fn a_partial_reservation_counts_as_refused_and_is_released() {
    let app = TestApp::start().await;
    let body = json!({ "items": [
        { "sku": "SKU0001", "quantity": 1, "unit_price": "10.00" },
        { "sku": "PARTIAL-STOCK", "quantity": 1, "unit_price": "10.00" }
    ] });
    let placed = app.customer(5).place(&body).await;
    placed.assert_problem(409, "out-of-stock");
    assert_eq!(
        violations(&all_orders(&app.staff()).await, &app.sandbox.ledger()),
        [""; 0]
    );
    assert!(
        app.sandbox
            .ledger()
            .stock
            .iter()
            .all(|row| row.reserved == 0)
    );
}

#[tokio::test]
async fn a_refused_payment_releases_the_stock() {
    let app = TestApp::start().await;
    // The first price is declined with 402, the second with a 201 whose body says FAILED.
    for price in ["402.00", "402.01"] {
        let placed = app.customer(5).place(&cart("SKU0001", 1, price)).await;
        placed.assert_problem(402, "payment-declined");
        assert_eq!(placed.body["order"]["payment_status"], "FAILED");
        let history = app.customer(5).history(placed.order_id()).await;
        assert_eq!(
            history[2..],
            [
                "payment_declined",
                "calling_off",
                "stock_released",
                "order_cancelled"
            ]
        );
    }
    assert_eq!(
        violations(&all_orders(&app.staff()).await, &app.sandbox.ledger()),
        [""; 0]
    );
}

#[tokio::test]
async fn a_refused_shipment_refunds_and_releases_the_stock() {
    let app = TestApp::start().await;
    let placed = app
        .customer(409_409)
        .place(&cart("SKU0001", 1, "10.00"))
        .await;
    placed.assert_problem(409, "fulfilment-refused");
    assert_eq!(placed.body["order"]["payment_status"], "REFUNDED");
    assert_eq!(placed.body["order"]["cancel_reason"], "peer_refused");
    assert_eq!(
        violations(&all_orders(&app.staff()).await, &app.sandbox.ledger()),
        [""; 0]
    );
}

#[tokio::test]
async fn a_refused_commit_recalls_the_parcel_and_refunds() {
    let app = TestApp::start().await;
    app.sandbox
        .set_fault(Fault::new(Operation::Commit, Kind::Refuse));
    let placed = app.customer(5).place(&cart("SKU0001", 1, "10.00")).await;
    placed.assert_problem(409, "fulfilment-refused");
    let history = app.customer(5).history(placed.order_id()).await;
    let undone = [
        "shipment_cancelled",
        "payment_refunded",
        "stock_released",
        "order_cancelled",
    ];
    assert_eq!(history[history.len() - 4..], undone);
    assert_eq!(
        violations(&all_orders(&app.staff()).await, &app.sandbox.ledger()),
        [""; 0]
    );
}
