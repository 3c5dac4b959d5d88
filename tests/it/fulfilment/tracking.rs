//! Parcel tracking by polling and by updates.

use sandbox::{Fault, Kind, Operation, ParcelStatus};
use serde_json::json;

use crate::support::app::TestApp;
use crate::support::client::cart;
use crate::support::service::eventually;

#[tokio::test]
async fn an_order_is_tracked_until_it_is_delivered() {
    let app = TestApp::start().await;
    let customer = app.customer(5);
    let order_id = customer
        .place(&cart("SKU0001", 1, "10.00"))
        .await
        .order_id();
    app.sandbox.advance_parcels();
    app.sandbox.advance_parcels();
    customer.until_status(order_id, "SHIPPED").await;
    for _ in 0..3 {
        app.sandbox.advance_parcels();
    }
    customer.until_status(order_id, "DELIVERED").await;
    let tracking = customer
        .get(&format!("/v1/orders/{order_id}/tracking/"))
        .await
        .body;
    assert_eq!(tracking["shipping_status"], "DELIVERED");
    let last: Vec<_> = tracking["timeline"]
        .as_array()
        .unwrap()
        .iter()
        .rev()
        .take(4)
        .collect();
    let codes: Vec<_> = last
        .iter()
        .rev()
        .map(|event| event["code"].as_str().unwrap())
        .collect();
    assert_eq!(
        codes,
        [
            "parcel_moved",
            "order_shipped",
            "parcel_moved",
            "order_delivered"
        ]
    );
    assert_eq!(last[1]["carrier_status"], "DELIVERED");
}

#[tokio::test]
async fn peer_updates_move_the_order_and_late_ones_are_ignored() {
    let app = TestApp::with(&[("FOLLOW_INTERVAL_MS", "3600000")]).await;
    let order_id = app
        .customer(5)
        .place(&cart("SKU0001", 1, "10.00"))
        .await
        .order_id();
    let path = format!("/v1/orders/{order_id}/update/");
    let moved = app
        .service()
        .patch(&path, &json!({ "shipping_status": "in_transit" }))
        .await;
    assert_eq!(
        (moved.status, &moved.body["order_status"]),
        (200, &json!("SHIPPED")),
        "{moved:?}"
    );
    let again = app
        .service()
        .patch(&path, &json!({ "shipping_status": "SHIPPED" }))
        .await;
    assert_eq!(again.body["version"], moved.body["version"]);
    let delivered = app
        .service()
        .patch(&path, &json!({ "shipping_status": "DELIVERED" }))
        .await;
    assert_eq!(delivered.body["order_status"], "DELIVERED");
    let late = app
        .service()
        .patch(&path, &json!({ "shipping_status": "PENDING" }))
        .await;
    assert_eq!((late.status, &late.body), (200, &delivered.body));
    let wrong = app
        .service()
        .patch(&path, &json!({ "shipping_status": "CANCELLED" }))
        .await;
    wrong.assert_problem(409, "invalid-transition");
    let history = app
        .staff()
        .get(&format!("/v1/orders/{order_id}/tracking/"))
        .await
        .body;
    assert_eq!(history["timeline"][5]["actor"], "service:shipping");
}

#[tokio::test]
async fn each_caller_may_report_only_its_own_statuses() {
    let app = TestApp::start().await;
    let order_id = app
        .customer(5)
        .place(&cart("SKU0001", 1, "10.00"))
        .await
        .order_id();
    let path = format!("/v1/orders/{order_id}/update/");
    let shipped = json!({ "order_status": "SHIPPED" });
    app.customer(5)
        .patch(&path, &shipped)
        .await
        .assert_problem(403, "forbidden");
    app.service()
        .patch(&path, &shipped)
        .await
        .assert_problem(403, "forbidden");
    let cancelled = app
        .staff()
        .patch(&path, &json!({ "order_status": "CANCELLED" }))
        .await;
    cancelled.assert_problem(409, "invalid-transition");
    let moved = app.staff().patch(&path, &shipped).await;
    assert_eq!(
        (moved.status, &moved.body["shipping_status"]),
        (200, &json!("SHIPPED"))
    );
    let refunded = app
        .service()
        .patch(&path, &json!({ "payment_status": "REFUNDED" }))
        .await;
    assert_eq!(
        (refunded.status, &refunded.body["payment_status"]),
        (200, &json!("REFUNDED"))
    );
}

#[tokio::test]
async fn a_late_second_parcel_is_recalled() {
    let app = TestApp::with(&[("PEER_TIMEOUT_MS", "200")]).await;
    // The first create arrives after the second was answered, and Shipping ignores idempotency
    // keys.
    app.sandbox.set_fault(
        Fault::new(Operation::Create, Kind::Delay)
            .after_ms(2000)
            .times(1),
    );
    app.sandbox
        .set_fault(Fault::new(Operation::Create, Kind::Again));
    let placed = app.customer(5).place(&cart("SKU0001", 1, "10.00")).await;
    assert_eq!(placed.status, 201, "{placed:?}");
    let tracking_no = eventually("one of two parcels is recalled", async || {
        let mut parcels = app.sandbox.ledger().shipments;
        let all = parcels.len();
        parcels.retain(|parcel| parcel.status != ParcelStatus::Cancelled);
        (all == 2 && parcels.len() == 1).then(|| parcels.remove(0).tracking_no)
    })
    .await;
    assert_eq!(placed.body["tracking_no"], tracking_no, "the wrong one");
}
