//! How one attempt at a step ended, before anything is written.

use std::time::Duration;

use crate::domain::event::OrderEvent;
use crate::domain::plan::Outcome;
use crate::peers::{CallFailure, CallOutcome};

/// What an attempt has brought.
#[derive(Debug)]
pub(super) struct Attempt {
    /// How it ended.
    pub outcome: Outcome,
    /// What happened at the peer.
    pub facts: Vec<OrderEvent>,
    /// Payment's number for the charge, when it was learnt.
    pub payment_id: Option<String>,
    /// Shipping's number for the parcel, when it was learnt.
    pub shipment_id: Option<String>,
    /// The peer's words, for the operator.
    pub reason: Option<String>,
    /// How long the peer asks to be left alone.
    pub retry_after: Option<Duration>,
}

impl Attempt {
    fn ended(outcome: Outcome) -> Self {
        Self {
            outcome,
            facts: Vec::new(),
            payment_id: None,
            shipment_id: None,
            reason: None,
            retry_after: None,
        }
    }

    /// The peer said yes, and this happened.
    pub fn done(facts: impl IntoIterator<Item = OrderEvent>) -> Self {
        Self {
            facts: facts.into_iter().collect(),
            ..Self::ended(Outcome::Done)
        }
    }

    /// The peer said a definite no.
    pub fn refused(reason: String, fact: Option<OrderEvent>) -> Self {
        Self {
            facts: fact.into_iter().collect(),
            reason: Some(reason),
            ..Self::ended(Outcome::Refused)
        }
    }

    /// Nobody can say.
    pub fn unclear(trouble: CallFailure) -> Self {
        Self {
            reason: Some(trouble.reason),
            retry_after: trouble.retry_after,
            ..Self::ended(Outcome::Unclear)
        }
    }

    /// Nobody can say, for a reason of our own finding, or after another call of the same attempt.
    pub fn unclear_because(reason: impl Into<String>) -> Self {
        Self::unclear(CallFailure::new(reason.into()))
    }

    /// The peer did something else than what was asked.
    pub fn wrong(reason: String) -> Self {
        Self {
            reason: Some(reason),
            ..Self::ended(Outcome::Wrong)
        }
    }

    /// Turns a peer's answer into an attempt: `yes` and `no` tell what has happened.
    pub fn of<T>(
        answer: CallOutcome<T>,
        yes: impl FnOnce(T) -> Self,
        no: impl FnOnce(String) -> Option<OrderEvent>,
    ) -> Self {
        match answer {
            CallOutcome::Success(value) => yes(value),
            CallOutcome::Rejected(refusal) => {
                let fact = no(refusal.reason.clone());
                Self::refused(refusal.reason, fact)
            }
            CallOutcome::Retryable(trouble) if trouble.sent => Self::unclear(trouble),
            CallOutcome::Retryable(trouble) => Self {
                outcome: Outcome::NotSent,
                ..Self::unclear(trouble)
            },
            CallOutcome::Mismatched(refusal) => Self::wrong(refusal.reason),
        }
    }
}
