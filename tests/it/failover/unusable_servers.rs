//! Unusable servers: read-only ones, and a primary without its standby. Also progress that was lost
//! because it was committed asynchronously.

use sandbox::{Fault, Kind, Operation};
use sqlx::{Connection as _, PgConnection};

use super::ReplicatedShop;
use crate::support::client::cart;
use crate::support::ledger::judge;
use crate::support::replicated::run;
use crate::support::service::eventually;

/// Turns parcel tracking off: requests meet the broken connections first.
const AT_REST: &[(&str, &str)] = &[
    ("FOLLOW_INTERVAL_MS", "86400000"),
    ("POLL_INTERVAL_MS", "60000"),
];

/// A lease that ends within the test's limit.
const IMPATIENT: &[(&str, &str)] = &[
    ("FOLLOW_INTERVAL_MS", "86400000"),
    ("PEER_TIMEOUT_MS", "2500"),
    ("LEASE_S", "15"),
];

#[tokio::test]
async fn a_lagging_standby_is_not_read_before_promotion() {
    let mut shop = ReplicatedShop::open(AT_REST).await;
    // The standby has every commit on disk and does not show it.
    run(&shop.servers.standby(), "select pg_wal_replay_pause()").await;
    let customer = shop.customer(5);
    let body = cart("SKU0001", 1, "10.00");
    let placed = customer.place_with_key("key-1", &body).await;
    assert_eq!(placed.status, 201, "{placed:?}");
    shop.servers.kill_primary().await;
    shop.proxy.lead_to(&shop.servers.standby());
    for _ in 0..3 {
        let details = customer.details(placed.order_id()).await;
        details.assert_problem(503, "unavailable");
        let list = customer.get("/v1/orders/").await;
        list.assert_problem(503, "unavailable");
    }
    assert_eq!(customer.get("/health/ready/").await.status, 503);
    shop.servers.promote().await;
    let details = customer.details(placed.order_id()).await;
    assert_eq!(details.status, 200, "{details:?}");
    assert_eq!(details.body["order_status"], "CONFIRMED");
    let again = customer.place_with_key("key-1", &body).await;
    assert_eq!(again.order_id(), placed.order_id(), "{again:?}");
    judge(&shop.service.base, &shop.sandbox, &[placed.order_id()]).await;
    shop.close().await;
}

#[tokio::test]
async fn a_server_turned_read_only_is_left_for_the_new_primary() {
    let shop = ReplicatedShop::open(AT_REST).await;
    let customer = shop.customer(5);
    let first = customer.place(&cart("SKU0001", 1, "10.00")).await;
    assert_eq!(first.status, 201, "{first:?}");
    shop.servers.promote().await;
    shop.proxy.lead_to(&shop.servers.standby());
    // The connections stay open and lead to a server that is now read-only.
    let old = shop.servers.primary();
    run(&old, "alter system set default_transaction_read_only = on").await;
    run(&old, "select pg_reload_conf()").await;
    eventually("the old primary only reads", async || {
        let mut conn = PgConnection::connect_with(&old).await.unwrap();
        let reads: String = sqlx::query_scalar("show transaction_read_only")
            .fetch_one(&mut conn)
            .await
            .unwrap();
        conn.close().await.unwrap();
        (reads == "on").then_some(())
    })
    .await;
    let second = customer.place(&cart("SKU0001", 1, "10.00")).await;
    assert_eq!(second.status, 201, "{second:?}");
    let metrics = customer.get("/metrics").await.text;
    let repeats = r#"db_repeats_total{reason="lost"}"#;
    let repeats = metrics.lines().find(|line| line.starts_with(repeats));
    assert!(
        repeats.is_some_and(|line| !line.ends_with(" 0")),
        "{repeats:?}"
    );
    let acknowledged = [first.order_id(), second.order_id()];
    judge(&shop.service.base, &shop.sandbox, &acknowledged).await;
    shop.close().await;
}

#[tokio::test]
async fn a_primary_without_its_sync_standby_confirms_no_order() {
    let mut shop = ReplicatedShop::open(AT_REST).await;
    shop.servers.cut_off().await;
    let customer = shop.customer(5);
    let body = cart("SKU0001", 1, "10.00");
    let placed = customer.place_with_key("key-1", &body).await;
    placed.assert_problem(503, "unavailable");
    assert!(shop.sandbox.ledger().calls.is_empty(), "a peer was called");
    shop.fail_over().await;
    let placed = customer.place_with_key("key-1", &body).await;
    assert_eq!(placed.status, 201, "{placed:?}");
    let orders = judge(&shop.service.base, &shop.sandbox, &[placed.order_id()]).await;
    assert_eq!(orders.len(), 1, "{orders:?}");
    shop.close().await;
}

#[tokio::test]
async fn steps_whose_progress_was_lost_are_done_once() {
    for operation in [Operation::Charge, Operation::Create, Operation::Commit] {
        let mut shop = ReplicatedShop::open(IMPATIENT).await;
        // Shipping ignores idempotency keys.
        shop.sandbox
            .set_fault(Fault::new(Operation::Create, Kind::Again));
        let late = Fault::new(operation, Kind::Delay);
        shop.sandbox.set_fault(late.after_ms(2000).times(1));
        let customer = shop.customer(5);
        let placing = tokio::spawn(async move {
            let body = cart("SKU0001", 1, "10.00");
            customer.place_with_key("key-1", &body).await
        });
        eventually("the call is under way", async || {
            shop.sandbox
                .ledger()
                .calls
                .contains_key(&operation)
                .then_some(())
        })
        .await;
        shop.fail_over().await;
        let events = "select count(*) from order_events";
        let mut conn = PgConnection::connect_with(&shop.servers.standby())
            .await
            .unwrap();
        let events: i64 = sqlx::query_scalar(events)
            .fetch_one(&mut conn)
            .await
            .unwrap();
        assert_eq!(events, 1, "nothing was lost before {operation:?}");
        let placed = placing.await.unwrap();
        // The second if the response came during an outage that outlasted the lease.
        assert!(
            matches!(placed.status, 201 | 202),
            "{operation:?}: {placed:?}"
        );
        let order_id = placed.order_id();
        let orders = judge(&shop.service.base, &shop.sandbox, &[order_id]).await;
        assert_eq!(orders[0]["order_status"], "CONFIRMED");
        let ledger = shop.sandbox.ledger();
        let made = (ledger.charges.len(), ledger.shipments.len());
        assert_eq!(made, (1, 1), "{operation:?} was done again");
        shop.close().await;
    }
}
