//! Faulty peers: the service retries with the same key.

use std::time::Duration;

use sandbox::{Fault, Kind, Operation};
use serde_json::json;

use crate::support::app::TestApp;
use crate::support::client::cart;
use crate::support::ledger::{all_orders, violations};
use crate::support::scripted_server::{Scripted, ScriptedReply};
use crate::support::service::eventually;

const FORWARD: [Operation; 4] = [
    Operation::Reserve,
    Operation::Charge,
    Operation::Create,
    Operation::Commit,
];
const BACKWARD: [Operation; 3] = [Operation::Cancel, Operation::Refund, Operation::Release];
const TROUBLE: [Kind; 5] = [
    Kind::ErrorBefore,
    Kind::ErrorAfter,
    Kind::DropBefore,
    Kind::DropAfter,
    Kind::Garbage,
];

#[tokio::test]
async fn every_fault_at_every_step_still_confirms_the_order() {
    let app = TestApp::start().await;
    for operation in FORWARD {
        for kind in TROUBLE {
            app.sandbox.set_fault(Fault::new(operation, kind).times(2));
            let placed = app.customer(5).place(&cart("SKU0001", 1, "10.00")).await;
            assert_eq!(placed.status, 201, "{operation:?} {kind:?}: {placed:?}");
            assert_eq!(
                placed.body["order_status"], "CONFIRMED",
                "{operation:?} {kind:?}"
            );
        }
    }
    assert_eq!(
        violations(&all_orders(&app.staff()).await, &app.sandbox.ledger()),
        [""; 0]
    );
}

#[tokio::test]
async fn every_fault_at_every_undo_still_cancels_the_order() {
    let app = TestApp::start().await;
    for operation in BACKWARD {
        for kind in TROUBLE {
            let placed = app.customer(5).place(&cart("SKU0001", 1, "10.00")).await;
            app.sandbox.set_fault(Fault::new(operation, kind).times(2));
            let cancelled = app.customer(5).cancel(placed.order_id()).await;
            assert_eq!(
                cancelled.status, 200,
                "{operation:?} {kind:?}: {cancelled:?}"
            );
            assert_eq!(
                cancelled.body["order_status"], "CANCELLED",
                "{operation:?} {kind:?}"
            );
        }
    }
    assert_eq!(
        violations(&all_orders(&app.staff()).await, &app.sandbox.ledger()),
        [""; 0]
    );
}

#[tokio::test]
async fn a_charge_refused_after_an_unclear_attempt_is_refunded() {
    let app = TestApp::start().await;
    // The charge is taken without a response; then the same key is refused.
    app.sandbox
        .set_fault(Fault::new(Operation::Charge, Kind::DropAfter).times(1));
    let placed = async { app.customer(5).place(&cart("SKU0001", 1, "10.00")).await };
    let refuse = async {
        eventually("the charge is taken", async || {
            (!app.sandbox.ledger().charges.is_empty()).then_some(())
        })
        .await;
        app.sandbox
            .set_fault(Fault::new(Operation::Charge, Kind::Refuse));
    };
    let (placed, ()) = tokio::join!(placed, refuse);
    // The second attempt may precede the refusal.
    if placed.status == 402 {
        assert_eq!(placed.body["order"]["order_status"], "CANCELLED");
        assert_eq!(app.sandbox.ledger().refunds.len(), 1);
    }
    assert_eq!(
        violations(&all_orders(&app.staff()).await, &app.sandbox.ledger()),
        [""; 0]
    );
}

#[tokio::test]
async fn with_slow_peers_a_placement_is_a_202_and_settles_later() {
    let app = TestApp::with(&[("SETTLE_WAIT_MS", "50")]).await;
    app.sandbox.set_fault(
        Fault::new(Operation::Charge, Kind::Delay)
            .after_ms(400)
            .times(1),
    );
    let placed = app.customer(5).place(&cart("SKU0001", 1, "10.00")).await;
    assert_eq!(placed.status, 202, "{placed:?}");
    assert_eq!(placed.body["order_status"], "PENDING");
    let customer = app.customer(5);
    customer.until_status(placed.order_id(), "CONFIRMED").await;
    assert_eq!(
        violations(&all_orders(&app.staff()).await, &app.sandbox.ledger()),
        [""; 0]
    );
}

#[tokio::test]
async fn a_charge_that_timed_out_is_taken_once() {
    let app = TestApp::with(&[("PEER_TIMEOUT_MS", "100")]).await;
    let taken = Fault::new(Operation::Charge, Kind::HangAfter);
    app.sandbox.set_fault(taken.times(2));
    let placed = app.customer(5).place(&cart("SKU0001", 1, "10.00")).await;
    assert_eq!(placed.status, 201, "{placed:?}");
    assert_eq!(app.sandbox.ledger().calls[&Operation::Charge], 3);
    assert_eq!(app.sandbox.ledger().charges.len(), 1);
    assert_eq!(
        violations(&all_orders(&app.staff()).await, &app.sandbox.ledger()),
        [""; 0]
    );
}

#[tokio::test]
async fn an_order_waiting_for_a_peer_can_be_cancelled() {
    let app = TestApp::with(&[
        ("SETTLE_WAIT_MS", "50"),
        // No server listens on this port.
        ("PAYMENT_SERVICE_URL", "http://127.0.0.1:9"),
    ])
    .await;
    let placed = app.customer(5).place(&cart("SKU0001", 1, "10.00")).await;
    assert_eq!(placed.status, 202, "{placed:?}");
    let customer = app.customer(5);
    eventually("the stock is reserved", async || {
        let history = customer.history(placed.order_id()).await;
        history.contains(&"stock_reserved".to_owned()).then_some(())
    })
    .await;
    // Nothing was sent to Payment, so the cancel takes effect at once.
    eventually("the order is cancelled", async || {
        let cancelled = customer.cancel(placed.order_id()).await;
        (cancelled.status == 200).then_some(())
    })
    .await;
    assert_eq!(
        violations(&all_orders(&app.staff()).await, &app.sandbox.ledger()),
        [""; 0]
    );
}

#[tokio::test]
async fn the_circuit_breaker_spares_a_failing_peer_and_recovers() {
    let app = TestApp::with(&[("SETTLE_WAIT_MS", "50"), ("PEER_BREAKER_REST_MS", "200")]).await;
    for operation in [Operation::Create, Operation::Follow] {
        app.sandbox
            .set_fault(Fault::new(operation, Kind::ErrorBefore));
    }
    let customer = app.customer(5);
    for _ in 0..5 {
        let placed = customer.place(&cart("SKU0001", 1, "10.00")).await;
        assert_eq!(placed.status, 202, "{placed:?}");
    }
    eventually("the breaker opens", async || {
        let metrics = app.anonymous().get("/metrics").await.text;
        metrics
            .contains("peer_breaker_open{peer=\"shipping\"} 1")
            .then_some(())
    })
    .await;
    app.sandbox.clear_faults();
    eventually("all orders are confirmed", async || {
        let orders = all_orders(&app.staff()).await;
        orders
            .iter()
            .all(|order| order["order_status"] == "CONFIRMED")
            .then_some(())
    })
    .await;
    assert_eq!(
        violations(&all_orders(&app.staff()).await, &app.sandbox.ledger()),
        [""; 0]
    );
}

#[tokio::test]
async fn a_reservation_that_lapsed_during_an_outage_is_renewed() {
    let app = TestApp::with(&[("SETTLE_WAIT_MS", "50")]).await;
    app.sandbox
        .set_fault(Fault::new(Operation::Charge, Kind::ErrorBefore));
    let placed = app.customer(5).place(&cart("SKU0001", 1, "10.00")).await;
    assert_eq!(placed.status, 202, "{placed:?}");
    app.sandbox.advance_clock(Duration::from_secs(16 * 60));
    app.sandbox.clear_faults();
    app.customer(5)
        .until_status(placed.order_id(), "CONFIRMED")
        .await;
    let history = app.customer(5).history(placed.order_id()).await;
    assert_eq!(
        history[1..],
        [
            "stock_reserved",
            "payment_taken",
            "shipment_created",
            "stock_commit_refused",
            "stock_reserved",
            "order_confirmed"
        ]
    );
    let ledger = app.sandbox.ledger();
    assert_eq!((ledger.charges.len(), ledger.shipments.len()), (1, 1));
    assert_eq!(
        violations(&all_orders(&app.staff()).await, &ledger),
        [""; 0]
    );
    assert!(ledger.stock.iter().all(|row| row.reserved == 0));
}

#[tokio::test]
async fn a_shipment_in_doubt_is_looked_up_before_it_is_repeated() {
    // Tracking would recall a second parcel, so it is turned off.
    let app = TestApp::with(&[("FOLLOW_INTERVAL_MS", "86400000")]).await;
    app.sandbox
        .set_fault(Fault::new(Operation::Create, Kind::ErrorAfter).times(1));
    // Shipping ignores idempotency keys.
    app.sandbox
        .set_fault(Fault::new(Operation::Create, Kind::Again));
    let placed = app.customer(5).place(&cart("SKU0001", 1, "10.00")).await;
    assert_eq!(placed.status, 201, "{placed:?}");
    assert_eq!(app.sandbox.ledger().shipments.len(), 1);
}

#[tokio::test]
async fn a_refund_in_doubt_is_repeated_under_its_key() {
    let app = TestApp::start().await;
    let placed = app.customer(5).place(&cart("SKU0001", 1, "10.00")).await;
    app.sandbox
        .set_fault(Fault::new(Operation::Refund, Kind::ErrorAfter).times(1));
    let cancelled = app.customer(5).cancel(placed.order_id()).await;
    assert_eq!(cancelled.status, 200, "{cancelled:?}");
    let ledger = app.sandbox.ledger();
    assert_eq!(
        (ledger.refunds.len(), ledger.calls[&Operation::Refund]),
        (1, 2)
    );
    // With another key Payment would have refused, and its list would have been read.
    assert_eq!(ledger.calls.get(&Operation::LookUp), None);
}

#[tokio::test]
async fn a_charge_without_an_id_is_retried_until_it_is_listed() {
    let charged = || ScriptedReply::json(201, json!({ "status": "SUCCESS" }));
    let listed = json!([{ "payment_id": 9, "status": "SUCCESS", "amount": "10.00" }]);
    let payment = Scripted::start([
        charged(),
        ScriptedReply::json(200, json!([])),
        charged(),
        ScriptedReply::json(200, listed),
    ])
    .await;
    let url = payment.url().to_string();
    let app = TestApp::with(&[("PAYMENT_SERVICE_URL", &url)]).await;
    let placed = app.customer(5).place(&cart("SKU0001", 1, "10.00")).await;
    assert_eq!(placed.status, 201, "{placed:?}");
    let requests = payment.requests();
    let methods: Vec<&str> = requests.iter().map(|asked| &*asked.method).collect();
    assert_eq!(methods, ["POST", "GET", "POST", "GET"]);
    assert_eq!(requests[0].body, requests[2].body, "not the same charge");
}
