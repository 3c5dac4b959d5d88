//! The time until the next run, with jitter.

use std::time::Duration;

use crate::domain::saga::{Backoff, NextRun};

/// The backoff with random jitter.
pub(super) fn with_jitter(backoff: Backoff) -> Duration {
    backoff.jittered(rand::random_range(0.0..=1.0), rand::random_range(0.0..=1.0))
}

/// How long the saga waits for its next run; `None` where it runs at once or never.
pub(super) fn wait(next_run: NextRun) -> Option<Duration> {
    match next_run {
        NextRun::Now | NextRun::Never => None,
        NextRun::After(delay) => Some(delay),
        NextRun::Retry(backoff) => Some(with_jitter(backoff)),
    }
}
