//! Asking a peer until it answers, within reason. A peer that does not answer is named, and left alone
//! for the rest of the run.

use std::time::Duration;

use crate::peers::{CallContext, CallOutcome};

/// How often a question is asked.
const TRIES: u32 = 4;
/// The delay before it is asked again; it doubles.
const FIRST_DELAY: Duration = Duration::from_millis(200);
/// The longest delay, whatever the peer asks for.
const LONGEST_DELAY: Duration = Duration::from_secs(5);

/// Why a peer cannot be compared with, by its own words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Unanswered {
    /// It says that there is no such thing to ask.
    No(String),
    /// It gives no answer that can be trusted.
    Away(String),
}

/// What is left of it for one question.
#[derive(Debug, Default)]
pub(super) struct Patience {
    tried: u32,
}

impl Patience {
    /// A question's tag, which tells whether it was asked before.
    pub fn tag<'a>(&self, tag: CallContext<'a>) -> CallContext<'a> {
        CallContext {
            is_retry: self.tried > 0,
            ..tag
        }
    }

    /// What an answer comes to; `None`, after a while: ask again.
    pub async fn settle<T>(&mut self, answer: CallOutcome<T>) -> Option<Result<T, Unanswered>> {
        let trouble = match answer {
            CallOutcome::Success(value) => return Some(Ok(value)),
            CallOutcome::Rejected(refusal) => return Some(Err(Unanswered::No(refusal.reason))),
            CallOutcome::Mismatched(refusal) => return Some(Err(Unanswered::Away(refusal.reason))),
            CallOutcome::Retryable(trouble) => trouble,
        };
        self.tried += 1;
        if self.tried >= TRIES {
            return Some(Err(Unanswered::Away(trouble.reason)));
        }
        let delay = FIRST_DELAY * (1 << self.tried);
        let asked = trouble.retry_after.unwrap_or_default();
        tokio::time::sleep(delay.max(asked).min(LONGEST_DELAY)).await;
        None
    }
}
