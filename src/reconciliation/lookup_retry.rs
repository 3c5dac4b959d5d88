//! Retries of one lookup at a peer, with exponential backoff. A peer that does not answer is reported as
//! unavailable and skipped for the rest of the run.

use std::time::Duration;

use crate::peers::{CallContext, CallOutcome};

/// Attempts at one lookup.
const MAX_ATTEMPTS: u32 = 4;
/// The base of the delay before a retry, which doubles each time.
const BASE_DELAY: Duration = Duration::from_millis(200);
/// Caps the delay, even if the peer asks for more.
const MAX_DELAY: Duration = Duration::from_secs(5);

/// Why a lookup has no result, by the peer's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum LookupError {
    /// The peer does not offer the lookup.
    Unsupported(String),
    /// The peer gives no trustworthy response.
    Unavailable(String),
}

/// Counts the attempts at one lookup.
#[derive(Debug, Default)]
pub(super) struct LookupRetry {
    failed_attempts: u32,
}

impl LookupRetry {
    /// Marks the context of a retry, so that the retry budget counts it.
    pub fn context<'a>(&self, context: CallContext<'a>) -> CallContext<'a> {
        CallContext {
            is_retry: self.failed_attempts > 0,
            ..context
        }
    }

    /// The result of the lookup. Returns `None` after a delay if the lookup should be retried.
    pub async fn settle<T>(&mut self, outcome: CallOutcome<T>) -> Option<Result<T, LookupError>> {
        let failure = match outcome {
            CallOutcome::Success(value) => return Some(Ok(value)),
            CallOutcome::Rejected(rejection) => {
                return Some(Err(LookupError::Unsupported(rejection.reason)));
            }
            CallOutcome::Mismatched(mismatch) => {
                return Some(Err(LookupError::Unavailable(mismatch.reason)));
            }
            CallOutcome::Retryable(failure) => failure,
        };
        self.failed_attempts += 1;
        if self.failed_attempts >= MAX_ATTEMPTS {
            return Some(Err(LookupError::Unavailable(failure.reason)));
        }
        let backoff = BASE_DELAY * (1 << self.failed_attempts);
        let requested = failure.retry_after.unwrap_or_default();
        tokio::time::sleep(backoff.max(requested).min(MAX_DELAY)).await;
        None
    }
}
