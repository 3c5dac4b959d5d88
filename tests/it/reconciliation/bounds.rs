//! What a run leaves alone, and how it reports peers that it cannot read.

use std::time::Duration;

use order_service::db::sagas::{claim_settled, mark_stuck, order_snapshots};
use order_service::domain::event::OrderEvent;
use order_service::domain::ids::OrderId;
use order_service::domain::step::Step;
use sandbox::{Fault, Kind, Operation};
use sqlx::Connection as _;

use super::{Shop, command, reconcile};
use crate::support::client::cart;
use crate::support::service::eventually;

#[tokio::test]
async fn a_consistent_system_has_no_findings_on_any_page() {
    let shop = Shop::open().await;
    shop.confirmed().await;
    shop.cancelled().await;
    for number in 1..=120 {
        shop.reserve(1_000_000 + number, &format!("elsewhere-{number}"))
            .await;
    }
    // Reservations of other orders: all of them have expired.
    shop.app.sandbox.advance_clock(Duration::from_secs(16 * 60));
    let report = shop.reconcile(&[]).await;
    report.assert(0, None, &[]);
    assert_eq!(report.summary["compared"], 2, "{report:?}");
    let peers = &report.summary["peers"];
    assert_eq!(peers["payment"]["listed"], 2);
    assert_eq!(peers["shipping"]["listed"], 2);
    assert_eq!(peers["inventory"]["listed"], 122);
}

#[tokio::test]
async fn a_peer_without_lists_is_reported() {
    let shop = Shop::open().await;
    let order_id = shop.confirmed().await;
    shop.charge(order_id + 1, "1.00", "somebody-else").await;
    for operation in [
        Operation::ListCharges,
        Operation::ListShipments,
        Operation::ListReservations,
    ] {
        shop.app
            .sandbox
            .set_fault(Fault::new(operation, Kind::Refuse));
    }
    let report = shop.reconcile(&[]).await;
    report.assert(0, None, &[]);
    assert_eq!(report.summary["compared"], 1);
    for peer in ["payment", "shipping", "inventory"] {
        assert!(
            report.summary["peers"][peer]["cannot_be_listed"].is_string(),
            "{report:?}"
        );
    }
}

#[tokio::test]
async fn a_peer_outage_is_reported_and_others_are_compared() {
    let shop = Shop::open().await;
    let order_id = shop.confirmed().await;
    shop.charge(order_id + 1, "1.00", "somebody-else").await;
    let mut environment = shop.environment();
    environment.set("SHIPPING_SERVICE_URL", "http://127.0.0.1:9");
    let report = reconcile(&environment, &["--repair"]).await;
    report.assert(2, Some("left"), &[("orphan_charge", order_id + 1)]);
    assert!(
        report.summary["not_compared"]["shipping"].is_string(),
        "{report:?}"
    );
    let told = command(&environment, &["reconcile", "--grace", "0"]).await;
    assert_eq!(told.code, Some(2), "{told:?}");
    for words in [
        "shipping: NOT COMPARED",
        "orphan_charge",
        "findings: 1, repaired: 0",
    ] {
        assert!(told.stdout.contains(words), "{told:?}");
    }
    environment.set("DATABASE_URL", "postgres://nobody@127.0.0.1:9/nowhere");
    let told = command(&environment, &["reconcile"]).await;
    assert_eq!((told.code, told.stdout.as_str()), (Some(2), ""), "{told:?}");
    assert!(told.stderr.contains("database"), "{told:?}");
}

#[tokio::test]
async fn fresh_orders_and_records_are_not_compared() {
    let shop = Shop::open().await;
    let order_id = shop.confirmed().await;
    shop.sql(
        "update orders set subtotal = 12, order_total = 12 where order_id = $1",
        order_id,
    )
    .await;
    shop.charge(order_id + 1, "1.00", "somebody-else").await;
    let arguments = ["reconcile", "--json"];
    let usual = command(&shop.environment(), &arguments).await;
    assert_eq!(usual.code, Some(0), "{usual:?}");
    let summary: serde_json::Value = serde_json::from_str(usual.stdout.trim()).unwrap();
    assert_eq!(summary["summary"]["compared"], 0, "{usual:?}");
}

#[tokio::test]
async fn an_order_with_an_undecided_cancel_is_in_progress() {
    let shop = Shop::open().await;
    let order_id = shop.confirmed().await;
    shop.app
        .sandbox
        .set_fault(Fault::new(Operation::Refund, Kind::ErrorBefore));
    let path = format!("/v1/orders/{order_id}/cancel/");
    let customer = shop.app.customer(5);
    let cancel =
        tokio::spawn(async move { customer.request(reqwest::Method::POST, &path).send().await });
    eventually("the parcel is recalled", async || {
        let order = shop.app.customer(5).details(order_id).await.body;
        (order["order_status"] == "CANCELLING").then_some(())
    })
    .await;
    let report = shop.reconcile(&["--repair"]).await;
    report.assert(0, None, &[]);
    assert_eq!(report.summary["under_way"], 1);
    shop.app.sandbox.clear_faults();
    shop.app
        .customer(5)
        .until_status(order_id, "CANCELLED")
        .await;
    cancel.await.unwrap().unwrap();
}

#[tokio::test]
async fn an_order_that_moves_during_its_comparison_is_no_finding() {
    let shop = Shop::with(&[("SWEEP_AFTER_MS", "86400000")]).await;
    let order_id = shop.confirmed().await;
    let slow = Fault::new(Operation::LookUp, Kind::Delay).after_ms(3000);
    shop.app.sandbox.set_fault(slow);
    let environment = shop.environment();
    let run = tokio::spawn(async move { reconcile(&environment, &["--repair"]).await });
    eventually("Payment is asked", async || {
        let calls = shop.app.sandbox.ledger().calls;
        calls.contains_key(&Operation::LookUp).then_some(())
    })
    .await;
    let customer = shop.app.customer(5);
    customer.cancel(order_id).await;
    customer.until_status(order_id, "CANCELLED").await;
    // Payment reports a refund of an order that was confirmed when the run read it.
    let report = run.await.unwrap();
    report.assert(0, None, &[]);
    assert_eq!(report.summary["under_way"], 1);
}

#[tokio::test]
async fn an_order_that_moved_after_its_comparison_is_not_repaired() {
    let shop = Shop::open().await;
    let order_id = shop.confirmed().await;
    let mut conn = shop.app.database.connection().await;
    let compared = order_snapshots(&mut conn, &[OrderId(order_id)])
        .await
        .unwrap();
    let found = || OrderEvent::DiscrepancyFound {
        findings: vec!["missing_charge"],
        reason: String::new(),
    };
    let lease = Duration::from_secs(30);
    for sql in [
        "update orders set version = version + 1 where order_id = $1",
        "update orders set version = version - 1 where order_id = $1",
        "update fulfilments set leased = true where order_id = $1",
        "update fulfilments set leased = false, cancel_reason = 'staff' where order_id = $1",
        "update fulfilments set cancel_reason = null, phase = 'undone' where order_id = $1",
        "update fulfilments set phase = 'completed' where order_id = $1",
    ] {
        shop.sql(sql, order_id).await;
        let as_compared = sql.contains("'completed'") || sql.contains("version - 1");
        let step = Step::ChargePayment;
        let mut tx = conn.begin().await.unwrap();
        let left = mark_stuck(&mut tx, &compared[0], found(), step, "").await;
        tx.rollback().await.unwrap();
        assert_eq!(left.unwrap(), as_compared, "{sql}");
        let mut tx = conn.begin().await.unwrap();
        let taken = claim_settled(&mut tx, &compared[0], found(), lease).await;
        tx.rollback().await.unwrap();
        assert_eq!(taken.unwrap().is_some(), as_compared, "{sql}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reconciliation_under_load_has_no_false_findings() {
    let shop = Shop::with(&[("FOLLOW_INTERVAL_MS", "100")]).await;
    for (operation, kind) in [
        (Operation::Charge, Kind::ErrorAfter),
        (Operation::Create, Kind::DropAfter),
        (Operation::Refund, Kind::ErrorAfter),
    ] {
        shop.app
            .sandbox
            .set_fault(Fault::new(operation, kind).at_rate(0.2));
    }
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let customers: Vec<_> = (1..=4)
        .map(|number| {
            let (client, stopped) = (shop.app.customer(number), stopped.clone());
            tokio::spawn(async move {
                while !*stopped.borrow() {
                    let placed = client.place(&cart("SKU0001", 1, "10.00")).await;
                    if rand::random() {
                        client.cancel(placed.order_id()).await;
                    }
                }
            })
        })
        .collect();
    let mut compared = 0;
    while compared < 20 {
        let report = shop.reconcile(&["--repair"]).await;
        report.assert(0, None, &[]);
        compared = report.summary["compared"].as_i64().unwrap();
    }
    stop.send_replace(true);
    for customer in customers {
        customer.await.unwrap();
    }
}
