//! Scheduled runs of reconciliation: one replica at a time claims the periodic task. The database keeps
//! the counts of findings, so that every replica exports the same metrics.

use std::time::Duration;

use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;

use crate::db;
use crate::db::periodic_tasks;
use crate::db::run;

use super::Reconciliation;
use super::finding::{Finding, FindingKind};
use super::run::{PeerListing, ReconciliationScope, ReconciliationSummary};

/// The name of the periodic task.
const TASK: &str = "reconciliation";
/// The lease of the claim.
const LEASE: Duration = Duration::from_secs(60);
/// The interval after an incomplete run, at most.
const RETRY_INTERVAL: Duration = Duration::from_secs(3600);
/// How often a replica polls whether the task is due.
const POLL_INTERVAL: Duration = Duration::from_secs(15);
/// A run logs at most this many findings; the command `reconcile` prints all.
const MAX_LOGGED_FINDINGS: u64 = 100;

impl Reconciliation {
    /// Runs reconciliation without repairs whenever it is due, until `stop`.
    pub async fn run_periodically(&self, stop: CancellationToken) {
        let Some(interval) = self.settings.interval else {
            return;
        };
        loop {
            let poll = async {
                if let Err(error) = self.run_if_due(interval).await {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "reconciliation failed"
                    );
                }
            };
            // When the lease of a dropped run ends, another replica claims the task.
            tokio::select! {
                () = stop.cancelled() => return,
                () = poll => {}
            }
            let pause = POLL_INTERVAL.mul_f64(rand::random_range(0.75..=1.25));
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Claims the task and runs reconciliation if it is due, and exports the metrics of the last run.
    /// Returns `None` if it was not due, or if another replica runs it.
    pub async fn run_if_due(
        &self,
        interval: Duration,
    ) -> Result<Option<ReconciliationSummary>, db::Error> {
        let epoch = run!(self.db, |conn| periodic_tasks::claim(
            conn, TASK, interval, LEASE
        ))
        .await?;
        let summary = match epoch {
            Some(epoch) => self.run_claimed(epoch, interval).await?,
            None => None,
        };
        self.export_last().await?;
        Ok(summary)
    }

    async fn run_claimed(
        &self,
        epoch: i64,
        interval: Duration,
    ) -> Result<Option<ReconciliationSummary>, db::Error> {
        let mut logged = 0;
        let mut log = |finding: &Finding| {
            logged += 1;
            if logged <= MAX_LOGGED_FINDINGS {
                log_finding(finding);
            }
        };
        let outcome = tokio::select! {
            outcome = self.run(ReconciliationScope::DEFAULT, &mut log) => outcome,
            () = self.keep_lease(epoch) => return Ok(None),
        };
        let complete = outcome
            .as_ref()
            .ok()
            .filter(|summary| summary.is_complete());
        let counts = complete.map(counts);
        let next = if complete.is_some() {
            interval
        } else {
            interval.min(RETRY_INTERVAL)
        };
        run!(self.db, |conn| periodic_tasks::release(
            conn,
            TASK,
            epoch,
            counts.as_ref(),
            next
        ))
        .await?;
        let summary = outcome?;
        log_summary(&summary);
        Ok(Some(summary))
    }

    /// Renews the lease of the claim until it is lost.
    async fn keep_lease(&self, epoch: i64) {
        loop {
            tokio::time::sleep(LEASE / 3).await;
            let renewed = run!(self.db, |conn| periodic_tasks::renew(
                conn, TASK, epoch, LEASE
            ));
            // While the database is unavailable, no other replica can claim the task either.
            if let Ok(false) = renewed.await {
                return;
            }
        }
    }

    async fn export_last(&self) -> Result<(), db::Error> {
        let last = run!(self.db, |conn| periodic_tasks::last(conn, TASK)).await?;
        let Some(last) = last else { return Ok(()) };
        for kind in FindingKind::ALL {
            let count = last.result.get(kind.as_str()).and_then(Value::as_i64);
            self.metrics
                .reconciliation_findings
                .with_label_values(&[kind.as_str()])
                .set(count.unwrap_or_default());
        }
        self.metrics
            .reconciliation_last_run
            .set(last.finished_at.unix_timestamp());
        Ok(())
    }
}

/// The counts of findings by kind, as the database keeps them.
fn counts(summary: &ReconciliationSummary) -> Value {
    let counts = summary
        .findings
        .iter()
        .map(|(kind, count)| (kind.as_str().to_owned(), Value::from(*count)));
    Value::Object(counts.collect::<Map<_, _>>())
}

fn log_finding(finding: &Finding) {
    tracing::warn!(
        kind = finding.kind.as_str(),
        order_id = finding.order_id.0,
        record_id = finding.record_id,
        detail = finding.detail,
        "a peer's ledger disagrees with an order"
    );
}

fn log_summary(summary: &ReconciliationSummary) {
    for (peer, reason) in &summary.unavailable {
        tracing::warn!(peer, reason, "reconciliation is incomplete");
    }
    for (peer, listing) in &summary.listings {
        if let PeerListing::CannotBeListed(reason) = listing {
            tracing::info!(peer, reason, "the peer cannot be listed");
        }
    }
    tracing::info!(
        compared = summary.compared,
        under_way = summary.under_way,
        findings = summary.found(),
        "reconciled"
    );
}
