//! Peer records without an order, or with another order's key: reported, never changed.

use sandbox::{ChargeStatus, ParcelStatus, ReservationState};

use super::Shop;

#[tokio::test]
async fn peer_records_without_an_order_are_reported_untouched() {
    let shop = Shop::open().await;
    let known = shop.confirmed().await;
    let unknown = known + 1000;
    shop.charge(unknown, "33.00", "somebody-else").await;
    shop.ship(unknown, "somebody-else").await;
    shop.reserve(unknown, "somebody-else").await;
    let kinds = [
        ("orphan_charge", unknown),
        ("orphan_reservation", unknown),
        ("orphan_shipment", unknown),
    ];
    shop.reconcile(&[]).await.assert(1, None, &kinds);
    shop.reconcile(&["--repair"])
        .await
        .assert(1, Some("left"), &kinds);
    let ledger = shop.app.sandbox.ledger();
    assert_eq!(ledger.charges[1].status, ChargeStatus::Success);
    assert_eq!(ledger.shipments[1].status, ParcelStatus::Pending);
    assert_eq!(ledger.reservations[1].state, ReservationState::Held);
    assert!(shop.stuck().await.is_empty());
}

#[tokio::test]
async fn records_of_an_earlier_database_are_not_matched() {
    let shop = Shop::open().await;
    let standing = shop.confirmed().await;
    let cancelled = shop.cancelled().await;
    for order_id in [standing, cancelled] {
        let key = format!("an-earlier-life-{order_id}");
        shop.charge(order_id, "10.00", &key).await;
        shop.ship(order_id, &key).await;
        shop.reserve(order_id, &key).await;
    }
    let kinds = [
        ("orphan_charge", standing),
        ("orphan_charge", cancelled),
        ("orphan_reservation", standing),
        ("orphan_reservation", cancelled),
        ("orphan_shipment", standing),
        ("orphan_shipment", cancelled),
    ];
    // Both reconciliation phases find each record, and report it once.
    shop.reconcile(&["--repair"])
        .await
        .assert(1, Some("left"), &kinds);
    let ledger = shop.app.sandbox.ledger();
    let live = |order_id| {
        let charges = ledger.charges.iter().filter(move |charge| {
            charge.order_id == order_id && charge.status == ChargeStatus::Success
        });
        charges.count()
    };
    assert_eq!((live(standing), live(cancelled)), (2, 1));
}

#[tokio::test]
async fn records_outside_the_period_are_left_out() {
    let shop = Shop::open().await;
    shop.charge(4711, "33.00", "somebody-else").await;
    let later = "2999-01-01T00:00:00Z";
    shop.reconcile(&["--since", later])
        .await
        .assert(0, None, &[]);
    let earlier = "2001-01-01T00:00:00Z";
    shop.reconcile(&["--since", "2000-01-01T00:00:00Z", "--until", earlier])
        .await
        .assert(0, None, &[]);
    shop.reconcile(&["--since", earlier])
        .await
        .assert(1, None, &[("orphan_charge", 4711)]);
}

#[tokio::test]
async fn a_reservation_of_a_cancelled_order_is_released() {
    let shop = Shop::open().await;
    let order_id = shop.cancelled().await;
    // As if the release had been lost: the same order with another id.
    shop.sql(
        "update fulfilments set lapsed = 1 where order_id = $1",
        order_id,
    )
    .await;
    let identity = shop.key(order_id, "1").await;
    shop.reserve(order_id, &identity).await;
    let kinds = [("unreleased_reservation", order_id)];
    shop.reconcile(&[]).await.assert(1, None, &kinds);
    shop.reconcile(&["--repair"])
        .await
        .assert(0, Some("repaired"), &kinds);
    let held = shop.app.sandbox.ledger().reservations;
    assert!(held.iter().all(|one| one.state != ReservationState::Held));
    shop.reconcile(&[]).await.assert(0, None, &[]);
}

#[tokio::test]
async fn a_leftover_reservation_is_handed_to_staff() {
    let shop = Shop::open().await;
    let order_id = shop.confirmed().await;
    shop.sql(
        "update fulfilments set lapsed = 1 where order_id = $1",
        order_id,
    )
    .await;
    let identity = shop.key(order_id, "1").await;
    shop.reserve(order_id, &identity).await;
    let kinds = [("unreleased_reservation", order_id)];
    shop.reconcile(&["--repair"])
        .await
        .assert(1, Some("handed_over"), &kinds);
    assert_eq!(shop.stuck().await[0].0, order_id);
}
