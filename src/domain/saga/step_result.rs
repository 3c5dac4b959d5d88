//! The result of one attempt at a step.

use std::time::Duration;

use crate::domain::event::OrderEvent;

use super::plan::StepOutcome;

/// The result of one attempt at a step, before it is applied to the saga.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepResult {
    /// How the attempt ended.
    pub outcome: StepOutcome,
    /// What happened at the peer.
    pub events: Vec<OrderEvent>,
    /// Payment's id of the charge, if the answer names it.
    pub payment_id: Option<String>,
    /// Shipping's id of the parcel, if the answer names it.
    pub shipment_id: Option<String>,
    /// The peer's message, for staff.
    pub reason: Option<String>,
    /// How long the peer asks the client to wait (`Retry-After`).
    pub retry_after: Option<Duration>,
}

impl StepResult {
    /// A result without events.
    pub fn ended(outcome: StepOutcome) -> Self {
        Self {
            outcome,
            events: Vec::new(),
            payment_id: None,
            shipment_id: None,
            reason: None,
            retry_after: None,
        }
    }

    /// The peer confirmed the step.
    pub fn done(events: impl IntoIterator<Item = OrderEvent>) -> Self {
        Self {
            events: events.into_iter().collect(),
            ..Self::ended(StepOutcome::Done)
        }
    }

    /// The peer refused the step definitely.
    pub fn refused(reason: String, event: Option<OrderEvent>) -> Self {
        Self {
            events: event.into_iter().collect(),
            reason: Some(reason),
            ..Self::ended(StepOutcome::Refused)
        }
    }

    /// The outcome is unknown: no answer, or none that proves anything.
    pub fn unclear(reason: impl Into<String>) -> Self {
        Self {
            reason: Some(reason.into()),
            ..Self::ended(StepOutcome::Unclear)
        }
    }

    /// The peer did something other than it was asked for.
    pub fn wrong(reason: String) -> Self {
        Self {
            reason: Some(reason),
            ..Self::ended(StepOutcome::Wrong)
        }
    }

    /// Whether the step has no definite answer yet.
    pub fn is_open(&self) -> bool {
        matches!(self.outcome, StepOutcome::Unclear | StepOutcome::NotSent)
    }

    /// Whether the client held the request back for a known time, because a circuit breaker is open or
    /// the peer asked for a pause. This says nothing about the order.
    pub fn is_held_back(&self) -> bool {
        self.outcome == StepOutcome::NotSent && self.retry_after.is_some()
    }
}
