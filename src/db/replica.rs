//! A standby that lists are read from, so that they cost the primary nothing. What it shows may be a
//! little old; where that matters, nobody asks it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::{Database, Error, OrderReads};

/// How long a standby in trouble is left alone, so that not every list waits for it first.
const REST: Duration = Duration::from_secs(5);

/// A standby, and whether it is of use at present. Cheap to clone.
#[derive(Clone)]
pub struct Replica {
    reads: OrderReads,
    resting_since: Arc<Mutex<Option<Instant>>>,
}

impl Replica {
    /// One that is trusted so far.
    pub fn new(database: Database) -> Self {
        Self {
            reads: OrderReads::new(database),
            resting_since: Arc::default(),
        }
    }

    /// Reads from the standby, unless it is left alone.
    pub fn reads(&self) -> Option<&OrderReads> {
        let since = *self.since();
        since
            .is_none_or(|since| since.elapsed() > REST)
            .then_some(&self.reads)
    }

    /// Whether the primary should be asked instead, after this error.
    pub fn falls_back(&self, error: &Error) -> bool {
        if !error.is_transient() {
            return false;
        }
        // It cancels what keeps it from following; that is over at once.
        if !matches!(error, Error::Conflict(_)) {
            *self.since() = Some(Instant::now());
        }
        self.reads.database().count_repeat("standby");
        tracing::warn!(error = error as &dyn std::error::Error, "standby not read");
        true
    }

    fn since(&self) -> std::sync::MutexGuard<'_, Option<Instant>> {
        self.resting_since
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
