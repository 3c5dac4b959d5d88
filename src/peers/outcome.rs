//! The outcome of a call to a peer, sorted by what the caller can do about it.

use std::time::Duration;

use super::one_line::one_line;

/// How a call ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallOutcome<T> {
    /// The peer did it.
    Success(T),
    /// A definite no: the peer did nothing of it and will not do it later.
    Rejected(PeerRejection),
    /// No response, or none that can be trusted. If the request was sent, its effect is in doubt. The
    /// call is retryable with the same idempotency key.
    Retryable(CallFailure),
    /// The peer did something, but for another amount, currency or order than was sent. Staff
    /// decide.
    Mismatched(PeerRejection),
}

impl<T> CallOutcome<T> {
    /// Converts the value of a success.
    pub fn map<U>(self, convert: impl FnOnce(T) -> U) -> CallOutcome<U> {
        match self {
            Self::Success(value) => CallOutcome::Success(convert(value)),
            Self::Rejected(rejection) => CallOutcome::Rejected(rejection),
            Self::Retryable(failure) => CallOutcome::Retryable(failure),
            Self::Mismatched(rejection) => CallOutcome::Mismatched(rejection),
        }
    }

    /// The label in metrics and spans: `yes`, `no`, `unclear`, `not_sent` or `wrong`.
    pub fn label(&self) -> &'static str {
        match self {
            Self::Success(_) => "yes",
            Self::Rejected(_) => "no",
            Self::Retryable(CallFailure { sent: false, .. }) => "not_sent",
            Self::Retryable(_) => "unclear",
            Self::Mismatched(_) => "wrong",
        }
    }
}

/// Why a peer rejected a call, or how its response differs from the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerRejection {
    /// One clean line of at most 200 characters. It may quote the peer, so only staff see it.
    pub reason: String,
}

impl PeerRejection {
    /// A rejection for this reason, which is cleaned and cut.
    pub fn new(reason: impl AsRef<str>) -> Self {
        Self {
            reason: one_line(reason.as_ref()),
        }
    }
}

/// Why a call has no trustworthy response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallFailure {
    /// One clean line of at most 200 characters. It may quote the peer, so only staff see it.
    pub reason: String,
    /// The delay that the peer asked for in `Retry-After`, at most an hour.
    pub retry_after: Option<Duration>,
    /// Whether the request may have reached the peer.
    pub sent: bool,
}

impl CallFailure {
    /// A failure after the request may have arrived. The reason is cleaned and cut.
    pub fn new(reason: impl AsRef<str>) -> Self {
        Self {
            reason: one_line(reason.as_ref()),
            retry_after: None,
            sent: true,
        }
    }

    /// A failure before the request was sent.
    pub fn not_sent(reason: impl AsRef<str>, retry_after: Option<Duration>) -> Self {
        Self {
            retry_after,
            sent: false,
            ..Self::new(reason)
        }
    }
}
