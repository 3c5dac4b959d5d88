//! A standby for lists, which relieves the primary. A standby lags slightly, so reads that must be current use
//! the primary. A small circuit breaker skips a failing standby for a while.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::{ConnectionPool, Error, OrderLoader};

/// The time for which a failing standby is skipped, so that not every list waits for it first.
const COOLDOWN: Duration = Duration::from_secs(5);

/// A standby and its circuit breaker. Cheap to clone.
#[derive(Clone)]
pub struct Replica {
    loader: OrderLoader,
    failed_at: Arc<Mutex<Option<Instant>>>,
}

impl Replica {
    /// A standby that is read through this pool.
    pub fn new(pool: ConnectionPool) -> Self {
        Self {
            loader: OrderLoader::new(pool),
            failed_at: Arc::default(),
        }
    }

    /// Reads from the standby; `None` while it is skipped.
    pub fn loader(&self) -> Option<&OrderLoader> {
        let failed_at = *self.failed_at();
        failed_at
            .is_none_or(|failed_at| failed_at.elapsed() > COOLDOWN)
            .then_some(&self.loader)
    }

    /// Records an error of the standby. Returns whether the caller should read from the primary instead.
    pub fn falls_back(&self, error: &Error) -> bool {
        if !error.is_transient() {
            return false;
        }
        // A standby cancels queries that conflict with WAL replay; the next query may succeed.
        if !matches!(error, Error::Conflict(_)) {
            *self.failed_at() = Some(Instant::now());
        }
        self.loader.pool().count_retry("standby");
        tracing::warn!(error = error as &dyn std::error::Error, "standby not read");
        true
    }

    fn failed_at(&self) -> std::sync::MutexGuard<'_, Option<Instant>> {
        self.failed_at
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
