//! Buffered progress: completed steps are written together, unless a caller would wait for it.

use sandbox::{Fault, Kind, Operation};

use crate::support::app::TestApp;
use crate::support::client::{Reply, cart};
use crate::support::service::eventually;

/// Longer than any test takes.
const LONG: &str = "10000";

/// A service with open connections and prepared statements, so that steps are quick.
async fn warm(settings: &[(&str, &str)]) -> TestApp {
    let app = TestApp::with(settings).await;
    let first = app.customer(6).place(&cart("SKU0001", 1, "10.00")).await;
    app.staff()
        .until_status(first.order_id(), "CONFIRMED")
        .await;
    app
}

async fn placed(app: &TestApp) -> Reply {
    app.customer(5).place(&cart("SKU0001", 1, "10.00")).await
}

/// The number of distinct write times among the events of an order.
async fn writes(app: &TestApp, order_id: i64) -> usize {
    let path = format!("/v1/orders/{order_id}/events/");
    let events = app.staff().get(&path).await.body;
    let mut times: Vec<_> = events["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| event["at"].as_str().unwrap())
        .collect();
    times.dedup();
    times.len()
}

/// An order during its slow charge.
async fn charging(app: &TestApp) -> i64 {
    let slow = Fault::new(Operation::Charge, Kind::Delay).after_ms(500);
    app.sandbox.set_fault(slow.times(1));
    let order_id = placed(app).await.order_id();
    eventually("the charge is under way", async || {
        let calls = app.sandbox.ledger().calls;
        calls.contains_key(&Operation::Charge).then_some(())
    })
    .await;
    order_id
}

#[tokio::test]
async fn quick_steps_are_written_in_one_batch() {
    let app = TestApp::with(&[("PROGRESS_DELAY_MS", LONG)]).await;
    let placed = placed(&app).await;
    assert_eq!(placed.status, 201, "{placed:?}");
    let order_id = placed.order_id();
    let codes = app.staff().history(order_id).await;
    assert_eq!(codes.len(), 5, "{codes:?}");
    assert_eq!(
        writes(&app, order_id).await,
        2,
        "the placement, and its end"
    );
}

#[tokio::test]
async fn without_a_delay_each_step_is_written_at_once() {
    let app = TestApp::with(&[("PROGRESS_DELAY_MS", "0")]).await;
    let placed = placed(&app).await;
    assert_eq!(writes(&app, placed.order_id()).await, 5);
}

#[tokio::test]
async fn buffered_progress_is_flushed_during_a_slow_call() {
    let app = warm(&[("SETTLE_WAIT_MS", "0"), ("PROGRESS_DELAY_MS", "100")]).await;
    let slow = Fault::new(Operation::Charge, Kind::Delay).after_ms(600);
    app.sandbox.set_fault(slow.times(1));
    let order_id = placed(&app).await.order_id();
    eventually("only the reservation is reported", async || {
        let codes = app.staff().history(order_id).await;
        (codes == ["order_placed", "stock_reserved"]).then_some(())
    })
    .await;
    let order = app.staff().details(order_id).await.body;
    assert_eq!(order["version"], 2);
    app.staff().until_status(order_id, "CONFIRMED").await;
    assert_eq!(app.sandbox.ledger().calls[&Operation::Charge], 2);
}

#[tokio::test]
async fn a_cancel_during_a_slow_step_takes_effect_before_the_next() {
    let app = TestApp::with(&[("SETTLE_WAIT_MS", "0"), ("PROGRESS_DELAY_MS", "50")]).await;
    let slow = Fault::new(Operation::Reserve, Kind::Delay).after_ms(300);
    app.sandbox.set_fault(slow.times(1));
    let order_id = placed(&app).await.order_id();
    let cancelled = app.customer(5).cancel(order_id).await;
    assert_eq!(cancelled.status, 202, "{cancelled:?}");
    app.customer(5).until_status(order_id, "CANCELLED").await;
    let ledger = app.sandbox.ledger();
    assert!(ledger.charges.is_empty(), "{:?}", ledger.charges);
}

#[tokio::test]
async fn a_cancel_request_loses_no_buffered_progress() {
    let app = TestApp::with(&[("SETTLE_WAIT_MS", "0"), ("PROGRESS_DELAY_MS", LONG)]).await;
    let order_id = charging(&app).await;
    app.customer(5).cancel(order_id).await;
    app.customer(5).until_status(order_id, "CANCELLED").await;
    let codes = app.staff().history(order_id).await;
    for code in ["stock_reserved", "payment_taken"] {
        let count = codes.iter().filter(|told| *told == code).count();
        assert_eq!(count, 1, "{code} in {codes:?}");
    }
    assert_eq!(
        app.sandbox.ledger().calls[&Operation::Reserve],
        1,
        "nothing had to be done again"
    );
}

#[tokio::test]
async fn a_shutdown_flushes_buffered_progress() {
    let mut app = TestApp::with(&[("SETTLE_WAIT_MS", "0"), ("PROGRESS_DELAY_MS", LONG)]).await;
    let order_id = charging(&app).await;
    app.stop().await;
    let calls = app.sandbox.ledger().calls;
    app.start_again().await;
    app.staff().until_status(order_id, "CONFIRMED").await;
    let after = app.sandbox.ledger().calls;
    for operation in [Operation::Reserve, Operation::Charge] {
        assert_eq!(after[&operation], calls[&operation], "{operation:?} again");
    }
}

#[tokio::test]
async fn a_cancel_during_a_slow_step_after_quick_ones_takes_effect() {
    let app = warm(&[("SETTLE_WAIT_MS", "0"), ("PROGRESS_DELAY_MS", "100")]).await;
    let slow = Fault::new(Operation::Charge, Kind::Delay).after_ms(600);
    app.sandbox.set_fault(slow.times(1));
    let order_id = placed(&app).await.order_id();
    eventually("the reservation is reported", async || {
        let codes = app.staff().history(order_id).await;
        (codes.len() == 2).then_some(())
    })
    .await;
    app.customer(5).cancel(order_id).await;
    app.customer(5).until_status(order_id, "CANCELLED").await;
    let ledger = app.sandbox.ledger();
    assert_eq!(ledger.shipments.len(), 1, "the first order's alone");
    assert_eq!(ledger.refunds.len(), 1);
}
