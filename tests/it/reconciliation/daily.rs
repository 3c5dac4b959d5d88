//! The periodic reconciliation.

use std::sync::Arc;
use std::time::Duration;

use order_service::app;
use order_service::config::{Environment, ReconcileConfig};
use order_service::reconciliation::Reconciliation;
use sandbox::Operation;
use tokio::sync::Barrier;

use super::Shop;
use crate::support::service::eventually;

const HOUR: Duration = Duration::from_secs(3600);

fn replica(environment: &Environment) -> Reconciliation {
    app::reconciliation(environment.read(ReconcileConfig::read).unwrap()).unwrap()
}

fn listed(shop: &Shop) -> u64 {
    let calls = shop.app.sandbox.ledger().calls;
    calls.get(&Operation::ListCharges).copied().unwrap_or(0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_replica_reconciles_in_each_period() {
    let shop = Shop::open().await;
    for round in 1..=3 {
        let start = Arc::new(Barrier::new(4));
        let replicas: Vec<_> = (0..4)
            .map(|_| {
                let (replica, start) = (replica(&shop.environment()), start.clone());
                tokio::spawn(async move {
                    start.wait().await;
                    replica.run_if_due(HOUR).await.unwrap().is_some()
                })
            })
            .collect();
        let mut ran = 0;
        for replica in replicas {
            ran += u64::from(replica.await.unwrap());
        }
        assert_eq!((ran, listed(&shop)), (1, round));
        assert!(
            replica(&shop.environment())
                .run_if_due(HOUR)
                .await
                .unwrap()
                .is_none()
        );
        pass(&shop).await;
    }
}

/// Advances the schedule by an hour.
async fn pass(shop: &Shop) {
    let sql = "update periodic_tasks set due_at = due_at - interval '1 hour', \
               finished_at = finished_at - interval '1 hour'";
    sqlx::query(sql)
        .execute(&mut shop.app.database.connection().await)
        .await
        .unwrap();
}

#[tokio::test]
async fn abandoned_and_failed_reconciliations_are_retried() {
    let shop = Shop::open().await;
    let claimed = "update periodic_tasks set leased = true, epoch = epoch + 1, \
                   due_at = now() + interval '1 minute'";
    let mut conn = shop.app.database.connection().await;
    sqlx::query(claimed).execute(&mut conn).await.unwrap();
    let us = replica(&shop.environment());
    assert!(us.run_if_due(HOUR).await.unwrap().is_none());
    pass(&shop).await;
    assert!(us.run_if_due(HOUR).await.unwrap().is_some());

    pass(&shop).await;
    let mut environment = shop.environment();
    environment.set("PAYMENT_SERVICE_URL", "http://127.0.0.1:9");
    let failed = replica(&environment).run_if_due(24 * HOUR).await.unwrap();
    assert!(!failed.unwrap().is_complete());
    assert!(us.run_if_due(24 * HOUR).await.unwrap().is_none());
    pass(&shop).await;
    assert!(us.run_if_due(24 * HOUR).await.unwrap().is_some());
}

#[tokio::test]
async fn the_daily_run_reports_findings_and_repairs_nothing() {
    let mut shop = Shop::open().await;
    let order_id = shop.confirmed().await;
    shop.refund_by_hand(5001).await;
    // As if the run had been yesterday.
    for sql in [
        "update orders set created_at = created_at - interval '1 day' where order_id = $1",
        "update fulfilments set since = since - interval '1 day' where order_id = $1",
    ] {
        shop.sql(sql, order_id).await;
    }
    shop.app.set("RECONCILE_EVERY_HOURS", "24");
    shop.app.restart().await;
    let found = eventually("the metrics tell of a run", async || {
        let metrics = shop.app.anonymous().get("/metrics").await.text;
        let value = |name: &str| {
            let line = metrics.lines().find_map(|line| line.strip_prefix(name));
            line.map(str::to_owned)
        };
        let ran = value("reconciliation_last_run_timestamp_seconds ")?;
        (ran != "0").then(|| value("reconciliation_findings{kind=\"missing_charge\"} "))
    })
    .await;
    assert_eq!(found.as_deref(), Some("1"));
    assert!(shop.stuck().await.is_empty());
}
