//! Failover under load with a synchronous standby: no acknowledged order is lost, and no restart is
//! needed.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::ReplicatedShop;
use crate::database::random_cuts::{Acknowledged, weather};
use crate::reconciliation::reconcile;
use crate::support::ledger::until_charged;
use crate::support::service::eventually;

/// The number of orders charged before the failover, and after it.
const ORDERS: usize = 24;
/// The limit for all customers to reach the new primary on a busy machine.
const SOON: Duration = Duration::from_secs(15);
/// The number of connections to the standby before its promotion.
const EARLY_CONNECTIONS: usize = 4;
/// Requests on a silent connection end after ten seconds; the limit adds slack and stays below
/// twice that.
const SILENCE: Duration = Duration::from_secs(18);

const SETTINGS: &[(&str, &str)] = &[
    ("LEASE_S", "1"),
    ("PEER_TIMEOUT_MS", "150"),
    ("SETTLE_WAIT_MS", "500"),
    ("SWEEP_AFTER_MS", "0"),
];

/// The moments when the primary failed and when the new one became reachable.
struct Outage {
    gone: Instant,
    back: Instant,
}

/// Prints the result. Returns how long the first and the last customer waited for a success after
/// the new primary became reachable.
fn report(acknowledged: &[Acknowledged], outage: &Outage) -> (Duration, Duration) {
    let before = acknowledged.iter().filter(|order| order.at < outage.gone);
    let after = acknowledged.iter().filter(|order| order.at > outage.back);
    let mut firsts = BTreeMap::new();
    for order in after {
        let waited = order.at - outage.back;
        let first = firsts.entry(order.customer).or_insert(waited);
        *first = waited.min(*first);
    }
    let (first, last) = (
        firsts.values().min().unwrap(),
        firsts.values().max().unwrap(),
    );
    println!(
        "{} orders acknowledged, {} of them before the primary was gone; lost: 0; {:?} without a \
         primary, then {first:?} until the first success and {last:?} until everybody had one",
        acknowledged.len(),
        before.count(),
        outage.back - outage.gone,
    );
    (*first, *last)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failover_under_load_loses_no_acknowledged_order() {
    let mut shop = ReplicatedShop::open(SETTINGS).await;
    let (servers, proxy) = (&mut shop.servers, &shop.proxy);
    let mut outage = None;
    let trouble = async || {
        until_charged(&shop.sandbox, ORDERS).await;
        let gone = Instant::now();
        servers.kill_primary().await;
        // The service reaches the standby before its promotion.
        proxy.lead_to(&servers.standby());
        eventually("the service reaches the standby", async || {
            (proxy.connections() >= EARLY_CONNECTIONS).then_some(())
        })
        .await;
        servers.promote().await;
        let back = Instant::now();
        outage = Some(Outage { gone, back });
        until_charged(&shop.sandbox, ORDERS).await;
    };
    let acknowledged = weather(&shop.service.base, &shop.sandbox, trouble).await;
    let (_, last) = report(&acknowledged, &outage.unwrap());
    assert!(last < SOON, "{last:?}");
    reconcile(&shop.environment, &[]).await.assert(0, None, &[]);
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_primary_blocks_no_request_beyond_the_limit() {
    let mut shop = ReplicatedShop::open(SETTINGS).await;
    let (servers, proxy) = (&mut shop.servers, &shop.proxy);
    let mut outage = None;
    let trouble = async || {
        until_charged(&shop.sandbox, ORDERS).await;
        let gone = Instant::now();
        // Packets are dropped: no connection is closed or refused.
        proxy.fall_silent();
        servers.kill_primary().await;
        servers.promote().await;
        proxy.lead_to(&servers.standby());
        let back = Instant::now();
        outage = Some(Outage { gone, back });
        until_charged(&shop.sandbox, ORDERS).await;
    };
    let acknowledged = weather(&shop.service.base, &shop.sandbox, trouble).await;
    let (_, last) = report(&acknowledged, &outage.unwrap());
    assert!(last < SILENCE, "{last:?}");
    reconcile(&shop.environment, &[]).await.assert(0, None, &[]);
    shop.close().await;
}
