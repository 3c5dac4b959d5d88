//! What a peer's reply means to whoever asked.

use std::time::Duration;

use super::reason;

/// How a call ended, sorted by what the caller can do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer<T> {
    /// It is done.
    Yes(T),
    /// A definite no: nothing of it was or will be done.
    No(Refusal),
    /// Nobody can say: no reply, or none that can be trusted. Ask again with the same key.
    Unclear(Trouble),
    /// The peer did something, but for another amount, currency or order than was sent. A person
    /// has to look.
    Wrong(Refusal),
}

impl<T> Answer<T> {
    /// The same with another yes.
    pub fn map<U>(self, yes: impl FnOnce(T) -> U) -> Answer<U> {
        match self {
            Self::Yes(value) => Answer::Yes(yes(value)),
            Self::No(refusal) => Answer::No(refusal),
            Self::Unclear(trouble) => Answer::Unclear(trouble),
            Self::Wrong(refusal) => Answer::Wrong(refusal),
        }
    }

    /// The name in metrics and spans: `yes`, `no`, `unclear`, `not_sent` or `wrong`.
    pub fn outcome(&self) -> &'static str {
        match self {
            Self::Yes(_) => "yes",
            Self::No(_) => "no",
            Self::Unclear(Trouble { sent: false, .. }) => "not_sent",
            Self::Unclear(_) => "unclear",
            Self::Wrong(_) => "wrong",
        }
    }
}

/// Why a peer said no, or what it did wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// One clean line of at most 200 characters, for the operator only: it may quote the peer.
    pub reason: String,
}

impl Refusal {
    /// A refusal for this reason, which is cleaned and cut.
    pub fn new(reason: impl AsRef<str>) -> Self {
        Self {
            reason: reason::clean(reason.as_ref()),
        }
    }
}

/// Why there is no answer that can be trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// One clean line of at most 200 characters, for the operator only: it may quote the peer.
    pub reason: String,
    /// How long the peer asked us to wait, an hour at most.
    pub retry_after: Option<Duration>,
    /// Whether the request may have reached the peer.
    pub sent: bool,
}

impl Trouble {
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
