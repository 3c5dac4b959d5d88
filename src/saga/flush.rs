//! Committing the pending results of an execution.

use tokio::time::Instant;

use crate::db::sagas::{self, CommitResult};
use crate::db::{self, run};
use crate::domain::event::{Actor, OrderEvent};
use crate::domain::saga::{Backoff, NextRun, Saga, Transition};
use crate::failpoints;

use super::SagaExecutor;
use super::backoff::{wait, with_jitter};
use super::in_flight::{Execution, FlushReason, Iteration};

/// The largest number of commit retries while the database is unavailable.
const COMMIT_ATTEMPTS: i32 = 6;

impl SagaExecutor {
    /// Commits the pending results. After a conflict or an unknown commit it reads the row and decides again.
    pub(super) async fn flush(
        &self,
        execution: &mut Execution,
        reason: FlushReason,
    ) -> Result<Iteration, db::Error> {
        let policy = &self.settings.retry;
        let mut failures = 0;
        loop {
            let progress = execution.persisted.apply_all(&execution.pending, policy);
            let transition = match reason {
                FlushReason::Progress => progress,
                FlushReason::CancelRequest => match progress.saga.apply_cancel_request(policy) {
                    Some(cancel) => progress.then(cancel),
                    None => return Ok(Iteration::Continue),
                },
            };
            let at = Instant::now();
            match self.commit(&execution.persisted, &transition).await {
                Ok(CommitResult::Committed(version)) => {
                    let next_run = transition.next_run;
                    execution.committed(transition.committed_as(version), at);
                    return Ok(match next_run {
                        NextRun::Now => Iteration::Continue,
                        NextRun::After(_) | NextRun::Retry(_) | NextRun::Never => Iteration::Pause,
                    });
                }
                Ok(CommitResult::Superseded) => return Ok(Iteration::Superseded),
                Ok(CommitResult::Conflict) => {}
                Err(error) if error.is_transient() => {
                    failures += 1;
                    if failures > COMMIT_ATTEMPTS {
                        return Err(error);
                    }
                    let backoff = Backoff::exponential(policy.base, policy.cap, failures, None);
                    tokio::time::sleep(with_jitter(backoff)).await;
                }
                Err(error) => return Err(error),
            }
            let at = Instant::now();
            match self.load(execution.saga.claim).await {
                Ok(Some(row)) => execution.reread(row, at, policy),
                Ok(None) => return Ok(Iteration::Superseded),
                Err(error) if error.is_transient() => {}
                Err(error) => return Err(error),
            }
            if reason == FlushReason::Progress && execution.pending.is_empty() {
                return Ok(Iteration::Continue);
            }
        }
    }

    /// Commits the pending results while a call is under way; returns the committed saga and when the commit
    /// was sent. `None`: it did not succeed, and the next flush finds out why.
    pub(super) async fn flush_beside(&self, execution: &Execution) -> Option<(Saga, Instant)> {
        let policy = &self.settings.retry;
        let mut persisted = execution.persisted.clone();
        loop {
            let transition = persisted.apply_all(&execution.pending, policy);
            let at = Instant::now();
            match self.commit(&persisted, &transition).await {
                Ok(CommitResult::Committed(version)) => {
                    return Some((transition.committed_as(version), at));
                }
                Ok(CommitResult::Conflict) => {}
                Ok(CommitResult::Superseded) | Err(_) => return None,
            }
            let row = self.load(execution.saga.claim).await.ok()??;
            if row.turns != persisted.turns {
                return None;
            }
            persisted = execution.trusted(row);
        }
    }

    /// Commits a transition once, counts its events and publishes that the order has changed.
    async fn commit(
        &self,
        persisted: &Saga,
        transition: &Transition,
    ) -> Result<CommitResult, db::Error> {
        let (direction, step) = transition.operation;
        let actor = Actor::saga();
        let wait = wait(transition.next_run);
        failpoints::pass(&["fulfilment", direction, step, "before_write"]);
        let result = run!(self.db, |conn| sagas::commit(
            conn, persisted, transition, &actor, wait
        ))
        .await?;
        failpoints::pass(&["fulfilment", direction, step, "after_write"]);
        if matches!(result, CommitResult::Committed(_)) && !transition.events.is_empty() {
            transition
                .events
                .iter()
                .for_each(|event| self.count_event(event));
            self.notifications.notify_changed(persisted.order.order_id);
        }
        Ok(result)
    }

    fn count_event(&self, event: &OrderEvent) {
        match event {
            OrderEvent::PaymentDeclined { .. } => self.metrics.payments_failed.inc(),
            OrderEvent::StockRefused { .. } => self.metrics.stockouts.inc(),
            OrderEvent::InterventionRequired { step, reason } => {
                tracing::error!(%step, reason, "the saga is stuck until staff decide");
            }
            OrderEvent::CompensationStarted { reason } => {
                self.metrics
                    .orders_cancelled
                    .with_label_values(&[reason.as_str()])
                    .inc();
            }
            _ => {}
        }
    }
}
