//! Failovers under load, with a standby that confirms each commit: nothing that was acknowledged is
//! lost, and nobody restarts the service.

use std::time::{Duration, Instant};

use super::Shop;
use crate::database::storms::{Acknowledged, weather};
use crate::reconciliation::reconcile;

/// How long customers shop, and how long before the primary is gone.
const STORM: Duration = Duration::from_secs(3);
const CALM: Duration = Duration::from_millis(800);
/// How long work with a connection that has fallen silent may go on, and some patience.
const SILENCE: Duration = Duration::from_secs(13);

const SETTINGS: &[(&str, &str)] = &[
    ("LEASE_S", "1"),
    ("PEER_TIMEOUT_MS", "150"),
    ("SETTLE_WAIT_MS", "500"),
    ("SWEEP_AFTER_MS", "0"),
];

/// Says how it went; returns how long nobody was served after the new primary could be reached.
fn report(acknowledged: &[Acknowledged], gone: Instant, back: Instant) -> Duration {
    let before = acknowledged.iter().filter(|order| order.at < gone).count();
    let after = acknowledged.iter().map(|order| order.at);
    let first = after.filter(|at| *at > back).min().unwrap() - back;
    println!(
        "{} orders acknowledged, {before} of them before the primary was gone; lost: 0; \
         {:?} until the standby was promoted, then {first:?} until the first success",
        acknowledged.len(),
        back - gone,
    );
    assert!(before > 0, "nobody came");
    first
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failover_under_load_loses_no_acknowledged_order_and_needs_no_restart() {
    let mut shop = Shop::open(SETTINGS).await;
    let (servers, proxy) = (&mut shop.servers, &shop.proxy);
    let mut times = None;
    let trouble = async |_| {
        tokio::time::sleep(CALM).await;
        let gone = Instant::now();
        servers.kill_primary().await;
        // The standby is reached before it is the primary.
        proxy.lead_to(&servers.standby());
        tokio::time::sleep(CALM / 4).await;
        servers.promote().await;
        times = Some((gone, Instant::now()));
    };
    let acknowledged = weather(&shop.service.base, &shop.sandbox, STORM, trouble).await;
    let (gone, back) = times.unwrap();
    let first = report(&acknowledged, gone, back);
    assert!(first < STORM, "{first:?}");
    reconcile(&shop.environment, &[]).await.assert(0, None, &[]);
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_primary_that_dies_without_a_sound_holds_nobody_up_for_longer_than_the_limit() {
    let mut shop = Shop::open(SETTINGS).await;
    let (servers, proxy) = (&mut shop.servers, &shop.proxy);
    let mut times = None;
    let trouble = async |_| {
        tokio::time::sleep(CALM).await;
        let gone = Instant::now();
        // Packets go nowhere: no connection is closed, none refused.
        proxy.fall_silent();
        servers.kill_primary().await;
        servers.promote().await;
        proxy.lead_to(&servers.standby());
        times = Some((gone, Instant::now()));
    };
    let acknowledged = weather(&shop.service.base, &shop.sandbox, STORM, trouble).await;
    let (gone, back) = times.unwrap();
    let first = report(&acknowledged, gone, back);
    assert!(first < SILENCE, "{first:?}");
    reconcile(&shop.environment, &[]).await.assert(0, None, &[]);
    shop.close().await;
}
