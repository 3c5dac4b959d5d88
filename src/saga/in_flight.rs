//! A saga in flight: its lease and its buffered progress.

use tokio::time::Instant;

use crate::domain::saga::{Acknowledgement, RetryPolicy, Saga, StepResult};

/// A saga that this process executes, with the progress that is not committed yet (write-behind).
///
/// A new lease holder repeats what was not committed, as it repeats any step in doubt. Results that must not
/// be repeated are committed at once. All pending results are committed once
/// [`progress_delay`](super::SagaSettings::progress_delay) has elapsed since the row was last read or
/// written, so that a cancel request and the live timeline wait no longer than that.
pub(super) struct Execution {
    /// The saga with all results applied.
    pub saga: Saga,
    /// The saga as it was last read or committed.
    pub persisted: Saga,
    /// The results since then.
    pub pending: Vec<StepResult>,
    /// Whether the row has lost progress that was acknowledged.
    progress_lost: bool,
    /// When the lease began, or somewhat earlier.
    pub leased_at: Instant,
    /// When the row was last read or written, or somewhat earlier.
    pub synced_at: Instant,
}

/// What one iteration of an execution leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Iteration {
    /// The saga runs on.
    Continue,
    /// The saga has settled, or waits for its next run.
    Pause,
    /// Another worker has claimed the saga.
    Superseded,
}

impl Execution {
    pub fn new(saga: Saga, leased_at: Instant) -> Self {
        Self {
            saga: saga.clone(),
            persisted: saga,
            pending: Vec::new(),
            progress_lost: false,
            leased_at,
            synced_at: leased_at,
        }
    }

    /// Applies an acknowledged commit of all pending results, which was sent at this time.
    pub fn committed(&mut self, saga: Saga, at: Instant) {
        self.pending.clear();
        self.progress_lost = false;
        self.synced_at = at;
        self.persisted = saga;
        self.saga = self.persisted.clone();
    }

    /// Replaces the persisted saga by a fresh row and applies the results that it lacks.
    pub fn reread(&mut self, row: Saga, at: Instant, policy: &RetryPolicy) {
        match Acknowledgement::of(&self.persisted, &row) {
            Acknowledgement::Pending => {}
            Acknowledgement::Committed(results) => {
                self.pending.drain(..results.min(self.pending.len()));
                self.progress_lost = false;
            }
            Acknowledgement::Lost => {
                self.pending.clear();
                self.progress_lost = true;
            }
        }
        self.synced_at = at;
        self.persisted = self.trusted(row);
        self.saga = self.persisted.apply_all(&self.pending, policy).saga;
    }

    /// A row as far as it can be trusted: after lost progress, its steps are in doubt.
    pub fn trusted(&self, row: Saga) -> Saga {
        match self.progress_lost {
            true => row.in_doubt(),
            false => row,
        }
    }
}

/// Why an execution is committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FlushReason {
    /// A step has ended.
    Progress,
    /// An open cancel request is executed.
    CancelRequest,
}
