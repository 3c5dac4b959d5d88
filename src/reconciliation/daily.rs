//! Reconciliation by itself: now and then, by one of the replicas. What it found is kept in the
//! database, so that every replica shows the same metrics.

use std::time::Duration;

use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;

use crate::db;
use crate::db::periodic_tasks;
use crate::db::run;

use super::Reconciliation;
use super::finding::{Finding, Kind};
use super::run::{Listing, Scope, Summary};

/// The name of its row.
const TASK: &str = "reconciliation";
/// How long a claim holds without being renewed.
const LEASE: Duration = Duration::from_secs(60);
/// When it is tried again after a run that could not compare everything.
const TRY_AGAIN: Duration = Duration::from_secs(3600);
/// How often it is seen whether it is due.
const LOOK_EVERY: Duration = Duration::from_secs(15);
/// How many findings a run logs at most; the command shows all.
const LOGGED: u64 = 100;

impl Reconciliation {
    /// Reconciles whenever it is due, until `stop`; never mends anything.
    pub async fn run_daily(&self, stop: CancellationToken) {
        let Some(every) = self.settings.every else {
            return;
        };
        loop {
            let look = async {
                if let Err(error) = self.run_if_due(every).await {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "no reconciliation"
                    );
                }
            };
            // A run that is dropped is taken over by another replica when its lease ends.
            tokio::select! {
                () = stop.cancelled() => return,
                () = look => {}
            }
            let pause = LOOK_EVERY.mul_f64(rand::random_range(0.75..=1.25));
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// One look: reconciles if it is due and nobody else is at it, and shows what was last found.
    /// `None`: it was not due.
    pub async fn run_if_due(&self, every: Duration) -> Result<Option<Summary>, db::Error> {
        let epoch = run!(self.db, |conn| periodic_tasks::claim(
            conn, TASK, every, LEASE
        ))
        .await?;
        let summary = match epoch {
            Some(epoch) => self.run_claimed(epoch, every).await?,
            None => None,
        };
        self.show_last().await?;
        Ok(summary)
    }

    async fn run_claimed(&self, epoch: i64, every: Duration) -> Result<Option<Summary>, db::Error> {
        let mut logged = 0;
        let mut log = |finding: &Finding| {
            logged += 1;
            if logged <= LOGGED {
                log_finding(finding);
            }
        };
        let ran = tokio::select! {
            ran = self.run(Scope::USUAL, &mut log) => ran,
            () = self.keep(epoch) => return Ok(None),
        };
        let done = ran.as_ref().ok().filter(|summary| summary.is_complete());
        let result = done.map(result);
        let next = if done.is_some() {
            every
        } else {
            every.min(TRY_AGAIN)
        };
        run!(self.db, |conn| periodic_tasks::give_back(
            conn,
            TASK,
            epoch,
            result.as_ref(),
            next
        ))
        .await?;
        let summary = ran?;
        log_summary(&summary);
        Ok(Some(summary))
    }

    /// Renews the claim as long as it holds.
    async fn keep(&self, epoch: i64) {
        loop {
            tokio::time::sleep(LEASE / 3).await;
            let renewed = run!(self.db, |conn| periodic_tasks::renew(
                conn, TASK, epoch, LEASE
            ));
            // While the database is away nobody else can claim it either.
            if let Ok(false) = renewed.await {
                return;
            }
        }
    }

    async fn show_last(&self) -> Result<(), db::Error> {
        let last = run!(self.db, |conn| periodic_tasks::last(conn, TASK)).await?;
        let Some(last) = last else { return Ok(()) };
        for kind in Kind::ALL {
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

/// What is kept of a run: how many findings there were of each kind.
fn result(summary: &Summary) -> Value {
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
        "a peer's ledger does not agree"
    );
}

fn log_summary(summary: &Summary) {
    for (peer, reason) in &summary.away {
        tracing::warn!(peer, reason, "reconciliation is incomplete");
    }
    for (peer, listing) in &summary.listings {
        if let Listing::CannotBeListed(reason) = listing {
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
