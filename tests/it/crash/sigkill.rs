//! Real processes killed by SIGKILL at each failpoint, each followed by another real process.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::Duration;

use futures_util::future::join_all;
use order_service::failpoints::POINTS;
use reqwest::Method;
use sandbox::{Fault, Kind, Operation, Sandbox};
use serde_json::Value;

use crate::support::app::{TestApp, environment};
use crate::support::client::{Client, cart};
use crate::support::database::TestDatabase;
use crate::support::ledger::{all_orders, violations};
use crate::support::service::{Service, eventually};

/// The number of processes at the same time.
const SHOPS: usize = 4;

/// Failpoints that this client never passes; the matrix covers them.
const OFF_THE_WAY: [&str; 5] = [
    "orders.decide.before_write",
    "orders.decide.after_write",
    "fulfilment.renew.after_write",
    "fulfilment.give_back.before_write",
    "fulfilment.give_back.after_write",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigkill_at_any_failpoint_loses_and_repeats_nothing() {
    let points = POINTS
        .into_iter()
        .filter(|point| !OFF_THE_WAY.contains(point));
    let points = Mutex::new(points.collect::<VecDeque<_>>());
    join_all((0..SHOPS).map(|_| open_shop(&points))).await;
}

/// Takes failpoints one after the other.
async fn open_shop(points: &Mutex<VecDeque<&'static str>>) {
    let sandbox = TestApp::sandbox().await;
    let database = TestDatabase::new().await;
    let mut environment = environment(&database, &sandbox);
    for (name, value) in [
        ("LEASE_S", "1"),
        ("PEER_TIMEOUT_MS", "150"),
        ("SWEEP_AFTER_MS", "300"),
    ] {
        environment.set(name, value);
    }
    let mut number = 0;
    loop {
        let Some(point) = points.lock().unwrap().pop_front() else {
            return;
        };
        number += 1;
        make_it_pass(&sandbox, point);
        // Dies between two writes, or with buffered progress.
        let delay = if point.starts_with("peers.") {
            "50"
        } else {
            "0"
        };
        environment.set("PROGRESS_DELAY_MS", delay);
        let mut service = Service::start_dying_at(&environment, point).await;
        // Parcels are tracked while the order is confirmed.
        let cancels = !point.starts_with("fulfilment.do.follow_shipment");
        let order_id = visit(&service.base, number, cancels).await;
        assert!(service.was_killed().await, "it did not die at {point}");

        sandbox.clear_faults();
        let service = Service::start(&environment).await;
        let placed = visit(&service.base, number, true).await;
        let placed = placed.expect("the second process stays");
        assert!(
            order_id.is_none_or(|order_id| order_id == placed),
            "{point}"
        );
        judge(&service.base, &sandbox, point, number).await;
    }
}

/// Faults that lead the client past a failpoint that it does not pass otherwise.
fn make_it_pass(sandbox: &Sandbox, point: &str) {
    if point.starts_with("fulfilment.undo.commit_stock") {
        // Repeated after the stock was reserved again: every later step is in doubt.
        sandbox.set_fault(Fault::new(Operation::Commit, Kind::Refuse));
    } else if point == "fulfilment.claim.after_write" {
        sandbox.set_fault(Fault::new(Operation::Charge, Kind::ErrorBefore).times(1));
    }
}

/// A client places an order and, if `cancels`, cancels it once it is confirmed, as far as the
/// process lives. Returns the order's id if the client learnt it.
async fn visit(base: &str, number: usize, cancels: bool) -> Option<i64> {
    let customer = Client::customer(base, 5);
    let place = customer
        .request(Method::POST, "/v1/orders/create/")
        .header("Idempotency-Key", number.to_string())
        .json(&cart("SKU0001", 1, "10.00"))
        .timeout(Duration::from_secs(20));
    let placed: Value = place.send().await.ok()?.json().await.ok()?;
    let order = placed.get("order").unwrap_or(&placed);
    let order_id = order["order_id"].as_i64()?;
    if !cancels {
        return Some(order_id);
    }
    let cancel = customer
        .request(Method::POST, &format!("/v1/orders/{order_id}/cancel/"))
        .header("Idempotency-Key", format!("{number}-cancel"))
        .timeout(Duration::from_secs(20));
    let _ = cancel.send().await;
    Some(order_id)
}

/// Waits until every order has settled and its late-arrival check is done, and judges them.
async fn judge(base: &str, sandbox: &Sandbox, point: &str, number: usize) {
    let staff = Client::staff(base);
    let orders = eventually("every order is cancelled", async || {
        let orders = all_orders(&staff).await;
        let settled = orders
            .iter()
            .all(|order| order["order_status"] == "CANCELLED");
        settled.then_some(orders)
    })
    .await;
    assert_eq!(orders.len(), number, "after a death at {point}");
    assert_eq!(
        violations(&orders, &sandbox.ledger()),
        [""; 0],
        "after a death at {point}"
    );
}
