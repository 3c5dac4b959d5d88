//! The loop that executes one claimed saga: renew the lease, attempt the step, apply its result, commit it,
//! until the saga settles, waits, or belongs to another worker.

use tokio::time::{Instant, sleep_until, timeout_at};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument as _, Span};

use crate::db::{self, run, sagas};
use crate::domain::saga::plan::Plan;
use crate::domain::saga::retry::is_tracking_over;
use crate::domain::saga::{Claim, Saga, StepOutcome, StepResult};
use crate::failpoints;
use crate::telemetry;

use super::SagaExecutor;
use super::in_flight::{Execution, FlushReason, Iteration};

/// The part of a lease within which the calls of a step must end; the rest is for the commit.
const SHARE_FOR_CALLS: f64 = 0.8;

impl SagaExecutor {
    /// Executes a claimed saga until it settles, waits, or is superseded. At a graceful stop the lease is
    /// released between two steps. The trace links to the span that caused the run.
    pub async fn execute(
        &self,
        saga: Saga,
        leased_at: Instant,
        cause: Span,
        stop: &CancellationToken,
    ) {
        let identity = saga.identity;
        let span = tracing::info_span!(
            "fulfilment.drive",
            order_id = saga.order.order_id.0,
            trace_id = %identity.simple()
        );
        telemetry::start_saga_span(&span, identity, saga.is_first_lease(), &cause);
        drop(cause);
        let execution = Execution::new(saga, leased_at);
        self.iterate(execution, stop).instrument(span).await;
    }

    /// Loads the saga of a claim, made no earlier than `leased_at`, and executes it.
    pub async fn execute_claim(
        &self,
        claim: Claim,
        leased_at: Instant,
        cause: Span,
        stop: &CancellationToken,
    ) {
        failpoints::pass(&["fulfilment", "claim", "after_write"]);
        match self.load(claim).await {
            Ok(Some(saga)) => self.execute(saga, leased_at, cause, stop).await,
            Ok(None) => {}
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    order_id = claim.order_id.0,
                    "saga not loaded"
                );
            }
        }
    }

    async fn iterate(&self, mut execution: Execution, stop: &CancellationToken) {
        loop {
            if stop.is_cancelled() {
                self.release_lease(execution).await;
                return;
            }
            match self.iteration(&mut execution).await {
                Ok(Iteration::Continue) => {}
                Ok(Iteration::Pause) => {
                    if execution.saga.plan.is_settled() {
                        self.notifications
                            .notify_settled(execution.saga.order.order_id);
                    }
                    return;
                }
                Ok(Iteration::Superseded) => return,
                Err(error) => {
                    tracing::error!(
                        error = &error as &dyn std::error::Error,
                        "saga execution stopped"
                    );
                    return;
                }
            }
        }
    }

    async fn iteration(&self, execution: &mut Execution) -> Result<Iteration, db::Error> {
        if !self.keep_lease(execution).await? {
            return Ok(Iteration::Superseded);
        }
        let policy = &self.settings.retry;
        if execution.saga.apply_cancel_request(policy).is_some() {
            return self.flush(execution, FlushReason::CancelRequest).await;
        }
        let result = self.attempt_within_lease(execution).await;
        self.count(execution.saga.plan, &result);
        // The pending results are deferrable, each for itself, so the last one decides for all of them.
        let transition = execution.saga.apply(&result, policy);
        execution.pending.push(result);
        if execution.synced_at.elapsed() < self.settings.progress_delay
            && transition.is_deferrable()
        {
            execution.saga = transition.saga;
            return Ok(Iteration::Continue);
        }
        self.flush(execution, FlushReason::Progress).await
    }

    /// Attempts the current step. Each call has its own deadline; all calls of the attempt together must end
    /// within the lease. While the attempt takes its time, pending results are committed beside it.
    async fn attempt_within_lease(&self, execution: &mut Execution) -> StepResult {
        let saga = &execution.saga;
        if saga.plan == Plan::Completed && is_tracking_over(saga.order.state.shipping_status) {
            return StepResult::done([]);
        }
        let deadline = execution.leased_at + self.settings.lease.mul_f64(SHARE_FOR_CALLS);
        let overdue = execution.synced_at + self.settings.progress_delay;
        let (result, committed) = {
            // On the heap: the futures of all steps together are too large for a small stack.
            let mut attempt = Box::pin(timeout_at(deadline, self.attempt(saga)));
            let first = tokio::select! {
                biased;
                result = &mut attempt => Some(result),
                () = sleep_until(overdue), if !execution.pending.is_empty() => None,
            };
            match first {
                Some(result) => (result, None),
                None => tokio::join!(attempt, self.flush_beside(execution)),
            }
        };
        if let Some((saga, at)) = committed {
            execution.committed(saga, at);
        }
        result.unwrap_or_else(|_| StepResult::unclear("the lease was nearly over"))
    }

    /// Renews the lease after a third of it, so that a worker that was superseded calls no peer.
    async fn keep_lease(&self, execution: &mut Execution) -> Result<bool, db::Error> {
        if execution.leased_at.elapsed() < self.settings.lease / 3 {
            return Ok(true);
        }
        let renewed_at = Instant::now();
        let renewed = self.renew(execution.saga.claim).await?;
        failpoints::pass(&["fulfilment", "renew", "after_write"]);
        execution.leased_at = renewed_at;
        Ok(renewed)
    }

    pub(super) async fn renew(&self, claim: Claim) -> Result<bool, db::Error> {
        let lease = self.settings.lease;
        run!(self.db, |conn| sagas::renew(conn, claim, lease)).await
    }

    pub(super) async fn load(&self, claim: Claim) -> Result<Option<Saga>, db::Error> {
        run!(self.db, |conn| sagas::load(conn, claim)).await
    }

    /// Gives the lease back, after a commit of the pending results: otherwise the next lease holder would
    /// have to treat them as in doubt.
    async fn release_lease(&self, mut execution: Execution) {
        if !execution.pending.is_empty() {
            match self.flush(&mut execution, FlushReason::Progress).await {
                Ok(Iteration::Continue) => {}
                Ok(Iteration::Pause | Iteration::Superseded) => return,
                Err(error) => {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "progress not committed"
                    );
                    return;
                }
            }
        }
        failpoints::pass(&["fulfilment", "give_back", "before_write"]);
        let saga = &execution.saga;
        let given = run!(self.db, |conn| sagas::release_lease(conn, saga)).await;
        failpoints::pass(&["fulfilment", "give_back", "after_write"]);
        if let Err(error) = given {
            // The lease expires by itself.
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "lease not released"
            );
        }
    }

    fn count(&self, plan: Plan, result: &StepResult) {
        let (direction, step) = plan.operation();
        let outcome = match result.outcome {
            StepOutcome::Done => "done",
            StepOutcome::Refused => "refused",
            StepOutcome::Lapsed => "lapsed",
            StepOutcome::Unclear => "unclear",
            StepOutcome::NotSent => "not_sent",
            StepOutcome::Wrong => "wrong",
        };
        self.metrics
            .saga_steps
            .with_label_values(&[step, direction, outcome])
            .inc();
    }
}
