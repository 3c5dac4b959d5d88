//! Failovers under load, with a standby that confirms each commit: nothing that was acknowledged is
//! lost, and nobody restarts the service.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::Shop;
use crate::database::random_cuts::{Acknowledged, weather};
use crate::reconciliation::reconcile;
use crate::support::ledger::until_charged;
use crate::support::service::eventually;

/// How many orders are charged before the primary is gone, and after.
const ORDERS: usize = 24;
/// How long it may take everybody to find the new primary, on however busy a machine and disk.
const SOON: Duration = Duration::from_secs(15);
/// How many connections reach the standby before its promotion.
const EARLY_CONNECTIONS: usize = 4;
/// How long work with a connection that has fallen silent may go on, which is ten seconds, and some patience;
/// less than the same twice.
const SILENCE: Duration = Duration::from_secs(18);

const SETTINGS: &[(&str, &str)] = &[
    ("LEASE_S", "1"),
    ("PEER_TIMEOUT_MS", "150"),
    ("SETTLE_WAIT_MS", "500"),
    ("SWEEP_AFTER_MS", "0"),
];

/// When the primary was gone, and when the new one could be reached.
struct Outage {
    gone: Instant,
    back: Instant,
}

/// Says how it went; returns how long the first customer and the last waited for a success once the new
/// primary could be reached.
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
    let mut shop = Shop::open(SETTINGS).await;
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
    let mut shop = Shop::open(SETTINGS).await;
    let (servers, proxy) = (&mut shop.servers, &shop.proxy);
    let mut outage = None;
    let trouble = async || {
        until_charged(&shop.sandbox, ORDERS).await;
        let gone = Instant::now();
        // Packets go nowhere: no connection is closed, none refused.
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
