//! A lagging standby is promoted without some acknowledged orders; reconciliation reports all of
//! them.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use sandbox::{ChargeStatus, Fault, Kind, Ledger, Operation, ParcelStatus};
use sqlx::{Connection as _, PgConnection};

use super::ReplicatedShop;
use crate::reconciliation::reconcile;
use crate::support::client::{Client, cart};
use crate::support::service::eventually;

const SETTINGS: &[(&str, &str)] = &[("FOLLOW_INTERVAL_MS", "86400000"), ("SWEEP_AFTER_MS", "0")];

/// Sequences are logged 32 values ahead, so only a greater loss reuses ids.
const LOST: usize = 40;

/// The number of live charges and parcels of an order.
fn holdings(ledger: &Ledger, order_id: i64) -> (usize, usize) {
    let charges = ledger.charges.iter();
    let parcels = ledger.shipments.iter();
    (
        charges
            .filter(|one| one.order_id == order_id && one.status == ChargeStatus::Success)
            .count(),
        parcels
            .filter(|one| one.order_id == order_id && one.status != ParcelStatus::Cancelled)
            .count(),
    )
}

/// The expected findings for orders that only the peers know.
fn findings(orders: &BTreeSet<i64>) -> Vec<(&'static str, i64)> {
    ["orphan_charge", "orphan_shipment"]
        .iter()
        .flat_map(|kind| orders.iter().map(move |order_id| (*kind, *order_id)))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn orders_lost_in_a_failover_are_found_and_ids_stay_unique() {
    let mut shop = ReplicatedShop::open(SETTINGS).await;
    let customer = shop.customer(5);
    let body = cart("SKU0001", 1, "10.00");
    let kept = customer.place_with_key("kept", &body).await.order_id();
    shop.servers.part().await;
    let keys: Vec<String> = (0..LOST).map(|number| format!("lost-{number}")).collect();
    let placed = keys.iter().map(|key| customer.place_with_key(key, &body));
    let mut lost = BTreeSet::new();
    for placed in join_all(placed).await {
        assert_eq!(placed.status, 201, "{placed:?}");
        lost.insert(placed.order_id());
    }
    reconcile(&shop.environment, &[]).await.assert(0, None, &[]);
    shop.fail_over().await;

    // The orders are gone, and reconciliation reports their records at the peers.
    for order_id in &lost {
        assert_eq!(customer.details(*order_id).await.status, 404);
    }
    assert_eq!(customer.details(kept).await.status, 200);
    let found = findings(&lost);
    reconcile(&shop.environment, &[])
        .await
        .assert(1, None, &found);

    // An id is reused by an order with its own charge and parcel; the records of the lost order are
    // not matched to it.
    let mut again = BTreeSet::new();
    for key in &keys {
        let placed = customer.place_with_key(key, &body).await;
        assert_eq!(placed.status, 201, "{placed:?}");
        assert_eq!(placed.header("idempotent-replayed"), None);
        again.insert(placed.order_id());
    }
    let ledger = shop.sandbox.ledger();
    let mut shared = 0;
    for order_id in &again {
        let both = usize::from(lost.contains(order_id));
        assert_eq!(
            holdings(&ledger, *order_id),
            (1 + both, 1 + both),
            "{order_id}"
        );
        shared += both;
    }
    assert!(shared > 0, "no number was given again");

    // Reconciliation does not repair it; staff find out whose record it is.
    let repaired = reconcile(&shop.environment, &["--repair"]).await;
    repaired.assert(1, Some("left"), &found);
    assert_eq!(shop.sandbox.ledger().refunds.len(), 0);
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_worker_of_a_lost_order_never_touches_its_successor() {
    let mut shop = ReplicatedShop::open(SETTINGS).await;
    shop.servers.part().await;
    let (servers, service, sandbox) = (&mut shop.servers, &shop.service, &shop.sandbox);
    // Both wait for Payment, at the same version of an order with the same id.
    let slow = Fault::new(Operation::Charge, Kind::Delay);
    sandbox.set_fault(slow.after_ms(2000).times(2));
    let place = |customer_id| {
        let customer = Client::customer(&service.base, customer_id);
        tokio::spawn(async move { customer.place(&cart("SKU0001", 1, "10.00")).await })
    };
    let charges = async |count: u64| {
        eventually("Payment is asked", async || {
            let calls = sandbox.ledger().calls;
            (calls.get(&Operation::Charge) == Some(&count)).then_some(())
        })
        .await;
    };
    let lost = place(5);
    charges(1).await;
    let mut old = PgConnection::connect_with(&servers.primary())
        .await
        .unwrap();
    let number: i64 = sqlx::query_scalar("select order_id from orders")
        .fetch_one(&mut old)
        .await
        .unwrap();
    servers.kill_primary().await;
    servers.promote().await;
    let standby = servers.standby();
    // As happens when more than 32 are lost.
    let mut conn = PgConnection::connect_with(&standby).await.unwrap();
    sqlx::query("select setval('orders_order_id_seq', $1, false)")
        .bind(number)
        .execute(&mut conn)
        .await
        .unwrap();
    shop.proxy.lead_to(&standby);
    let next = place(6);
    charges(2).await;

    let next = next.await.unwrap();
    assert_eq!((next.status, next.order_id()), (201, number), "{next:?}");
    assert_eq!(next.body["order_status"], "CONFIRMED");
    let lost = lost.await.unwrap();
    assert_eq!(lost.body["customer_id"], 5, "told of another's order");
    assert_eq!(holdings(&sandbox.ledger(), number), (2, 1));
    // The records that the lost order had by then.
    let found = [("orphan_charge", number), ("orphan_reservation", number)];
    reconcile(&shop.environment, &[])
        .await
        .assert(1, None, &found);
    shop.close().await;
}
