//! A standby that lags behind takes over, and has never heard of orders that were acknowledged: what
//! that means, and that reconciliation tells all of it.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use order_service::sandbox::{ChargeStatus, Ledger, ParcelStatus};

use super::Shop;
use crate::reconciliation::reconcile;
use crate::support::client::cart;

/// Sequences are logged 32 numbers ahead, so that less would not be given again.
const LOST: usize = 40;

/// Live charges and parcels of an order.
fn held(ledger: &Ledger, order_id: i64) -> (usize, usize) {
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

/// What reconciliation is to find for orders that only the peers know.
fn findings(orders: &BTreeSet<i64>) -> Vec<(&'static str, i64)> {
    ["orphan_charge", "orphan_shipment"]
        .iter()
        .flat_map(|kind| orders.iter().map(move |order_id| (*kind, *order_id)))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn orders_that_a_lagging_standby_never_got_are_found_and_their_numbers_meet_no_old_keys() {
    let mut shop = Shop::open(&[
        ("FOLLOW_INTERVAL_MS", "86400000"),
        ("SWEEP_AFTER_MS", "0"),
    ])
    .await;
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

    // They are gone, and what the peers hold for them is told.
    for order_id in &lost {
        assert_eq!(customer.details(*order_id).await.status, 404);
    }
    assert_eq!(customer.details(kept).await.status, 200);
    let found = findings(&lost);
    reconcile(&shop.environment, &[]).await.assert(1, None, &found);

    // A number is given again, to an order that has a charge and a parcel of its own: that of the lost
    // one is not taken for it.
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
        assert_eq!(held(&ledger, *order_id), (1 + both, 1 + both), "{order_id}");
        shared += both;
    }
    assert!(shared > 0, "no number was given again");

    // Nor is it repaired away: whose it is, a person finds out.
    let repaired = reconcile(&shop.environment, &["--repair"]).await;
    repaired.assert(1, Some("left"), &found);
    assert_eq!(shop.sandbox.ledger().refunds.len(), 0);
    shop.close().await;
}
