//! The steps of a saga, each beside its compensation, and how a peer's answer becomes a step's result.

use crate::domain::event::OrderEvent;
use crate::domain::saga::plan::Plan;
use crate::domain::saga::{Doubt, Saga, StepOutcome, StepResult};
use crate::domain::step::Step;
use crate::peers::{CallFailure, CallOutcome};

use super::SagaExecutor;

mod charge_payment;
mod commit_stock;
mod create_shipment;
mod late_arrival_check;
mod reserve_stock;
mod track_shipment;

impl SagaExecutor {
    /// Attempts the operation at the saga's position.
    pub(super) async fn attempt(&self, saga: &Saga) -> StepResult {
        match saga.plan {
            Plan::Doing { step, doubt } => match step {
                Step::ReserveStock => self.reserve_stock(saga).await,
                // Done before the reservation expired.
                Step::ChargePayment if saga.payment_id.is_some() => StepResult::done([]),
                Step::CreateShipment if saga.shipment_id.is_some() => StepResult::done([]),
                Step::ChargePayment => self.charge_payment(saga).await,
                Step::CreateShipment => self.create_shipment(saga, doubt != Doubt::None).await,
                Step::CommitStock => self.commit_stock(saga, doubt != Doubt::None).await,
            },
            Plan::Undoing(Step::ReserveStock | Step::CommitStock) => self.release_stock(saga).await,
            Plan::Undoing(Step::ChargePayment) => self.refund_payment(saga).await,
            Plan::Undoing(Step::CreateShipment) | Plan::Recalling { .. } => {
                self.cancel_shipment(saga).await
            }
            Plan::Completed => self.track_shipment(saga).await,
            Plan::Undone => self.check_late_arrivals(saga).await,
            Plan::Stuck { .. } => StepResult::done([]),
        }
    }
}

/// The result of a step from a peer's answer: `yes` and `no` name the events.
fn result_of<T>(
    answer: CallOutcome<T>,
    yes: impl FnOnce(T) -> StepResult,
    no: impl FnOnce(String) -> Option<OrderEvent>,
) -> StepResult {
    match answer {
        CallOutcome::Success(value) => yes(value),
        CallOutcome::Rejected(refusal) => {
            let event = no(refusal.reason.clone());
            StepResult::refused(refusal.reason, event)
        }
        CallOutcome::Retryable(trouble) if trouble.sent => unclear(trouble),
        CallOutcome::Retryable(trouble) => StepResult {
            outcome: StepOutcome::NotSent,
            ..unclear(trouble)
        },
        CallOutcome::Mismatched(refusal) => StepResult::wrong(refusal.reason),
    }
}

/// What a look-up found; without a list, the result of the step that asked.
fn found<T>(answer: CallOutcome<T>) -> Result<T, StepResult> {
    match answer {
        CallOutcome::Success(found) => Ok(found),
        CallOutcome::Rejected(refusal) => Err(StepResult::unclear(refusal.reason)),
        CallOutcome::Retryable(trouble) => Err(unclear(trouble)),
        CallOutcome::Mismatched(refusal) => Err(StepResult::wrong(refusal.reason)),
    }
}

fn unclear(trouble: CallFailure) -> StepResult {
    StepResult {
        retry_after: trouble.retry_after,
        ..StepResult::unclear(trouble.reason)
    }
}
