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

/// The result of a step from the outcome of its call.
fn result_of<T>(
    outcome: CallOutcome<T>,
    on_success: impl FnOnce(T) -> StepResult,
    rejection_event: impl FnOnce(String) -> Option<OrderEvent>,
) -> StepResult {
    match outcome {
        CallOutcome::Success(value) => on_success(value),
        CallOutcome::Rejected(rejection) => {
            let event = rejection_event(rejection.reason.clone());
            StepResult::refused(rejection.reason, event)
        }
        CallOutcome::Retryable(failure) if failure.sent => unclear(failure),
        CallOutcome::Retryable(failure) => StepResult {
            outcome: StepOutcome::NotSent,
            ..unclear(failure)
        },
        CallOutcome::Mismatched(rejection) => StepResult::wrong(rejection.reason),
    }
}

/// The records that a look-up found; without them, the result of the step that asked.
fn looked_up<T>(outcome: CallOutcome<T>) -> Result<T, StepResult> {
    match outcome {
        CallOutcome::Success(records) => Ok(records),
        CallOutcome::Rejected(rejection) => Err(StepResult::unclear(rejection.reason)),
        CallOutcome::Retryable(failure) => Err(unclear(failure)),
        CallOutcome::Mismatched(rejection) => Err(StepResult::wrong(rejection.reason)),
    }
}

fn unclear(failure: CallFailure) -> StepResult {
    StepResult {
        retry_after: failure.retry_after,
        ..StepResult::unclear(failure.reason)
    }
}
