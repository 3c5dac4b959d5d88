//! What a peer's reply means to whoever asked.

use std::time::Duration;

use super::reason;

/// How a call ended, sorted by what the caller can do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallOutcome<T> {
    /// It is done.
    Success(T),
    /// A definite no: nothing of it was or will be done.
    Rejected(PeerRejection),
    /// Nobody can say: no reply, or none that can be trusted. Ask again with the same key.
    Retryable(CallFailure),
    /// The peer did something, but for another amount, currency or order than was sent. A person
    /// has to look.
    Mismatched(PeerRejection),
}

impl<T> CallOutcome<T> {
    /// The same with another yes.
    pub fn map<U>(self, yes: impl FnOnce(T) -> U) -> CallOutcome<U> {
        match self {
            Self::Success(value) => CallOutcome::Success(yes(value)),
            Self::Rejected(refusal) => CallOutcome::Rejected(refusal),
            Self::Retryable(trouble) => CallOutcome::Retryable(trouble),
            Self::Mismatched(refusal) => CallOutcome::Mismatched(refusal),
        }
    }

    /// The name in metrics and spans: `yes`, `no`, `unclear`, `not_sent` or `wrong`.
    pub fn outcome(&self) -> &'static str {
        match self {
            Self::Success(_) => "yes",
            Self::Rejected(_) => "no",
            Self::Retryable(CallFailure { sent: false, .. }) => "not_sent",
            Self::Retryable(_) => "unclear",
            Self::Mismatched(_) => "wrong",
        }
    }
}

/// Why a peer said no, or what it did wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerRejection {
    /// One clean line of at most 200 characters, for the operator only: it may quote the peer.
    pub reason: String,
}

impl PeerRejection {
    /// A refusal for this reason, which is cleaned and cut.
    pub fn new(reason: impl AsRef<str>) -> Self {
        Self {
            reason: reason::clean(reason.as_ref()),
        }
    }
}

/// Why there is no answer that can be trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallFailure {
    /// One clean line of at most 200 characters, for the operator only: it may quote the peer.
    pub reason: String,
    /// How long the peer asked us to wait, an hour at most.
    pub retry_after: Option<Duration>,
    /// Whether the request may have reached the peer.
    pub sent: bool,
}

impl CallFailure {
    /// A trouble for this reason, which is cleaned and cut, with a request that may have arrived.
    pub fn new(reason: impl AsRef<str>) -> Self {
        Self {
            reason: reason::clean(reason.as_ref()),
            retry_after: None,
            sent: true,
        }
    }

    /// A trouble with a request that has certainly not arrived.
    pub fn not_sent(reason: impl AsRef<str>, retry_after: Option<Duration>) -> Self {
        Self {
            retry_after,
            sent: false,
            ..Self::new(reason)
        }
    }
}
