//! What an attempt means for the plan, the order and its history: pure, and the only place where
//! it is decided.

use crate::db::fulfilments::Fulfilment;
use crate::domain::cancel_reason::CancelReason;
use crate::domain::event::OrderEvent;
use crate::domain::order::OrderState;
use crate::domain::plan::{Outcome, Plan, Step};
use crate::domain::status::OrderStatus;

use super::attempt::Attempt;

/// What is to be written after a turn.
#[derive(Debug)]
pub(super) struct Decision {
    /// Where the fulfilment now stands.
    pub plan: Plan,
    /// The order's new state.
    pub state: OrderState,
    /// What led to it.
    pub facts: Vec<OrderEvent>,
    /// Whether the wish to cancel is decided by this.
    pub cancel_decided: bool,
}

impl Decision {
    fn new(fulfilment: &Fulfilment, plan: Plan, facts: Vec<OrderEvent>) -> Self {
        let (state, facts) = fulfilment.order.state.after(facts);
        let decided = |fact: &OrderEvent| {
            matches!(
                fact,
                OrderEvent::CompensationStarted { .. } | OrderEvent::CancelRefused { .. }
            )
        };
        Self {
            plan,
            cancel_decided: facts.iter().any(decided) || matches!(plan, Plan::Stuck { .. }),
            state,
            facts,
        }
    }

    /// Why a person is needed, if one is.
    pub fn stuck_because(&self) -> Option<&str> {
        self.facts.iter().find_map(|fact| match fact {
            OrderEvent::InterventionRequired { reason, .. } => Some(reason.as_str()),
            _ => None,
        })
    }
}

/// Acts on a wish to cancel, if there is one and this is a safe point.
pub(super) fn on_cancel(fulfilment: &Fulfilment) -> Option<Decision> {
    let reason = fulfilment.cancel?;
    let plan = fulfilment.plan.cancelled()?;
    let facts = if plan.is_undoing() {
        vec![OrderEvent::CompensationStarted { reason }]
    } else {
        Vec::new()
    };
    Some(Decision::new(fulfilment, plan, facts))
}

/// Acts on how an attempt at the current step ended.
pub(super) fn on_attempt(fulfilment: &Fulfilment, attempt: &Attempt) -> Decision {
    let mut plan = fulfilment.plan.after(attempt.outcome);
    let status = fulfilment.order.state.order_status;
    let mut facts = attempt.facts.clone();
    let mut reason = attempt.reason.clone().unwrap_or_default();
    if let Some(why) = calls_off(fulfilment, attempt.outcome) {
        if fulfilment.order.state.is_cancellable() {
            facts.push(OrderEvent::CompensationStarted { reason: why });
        } else {
            reason = format!("the parcel was called back, but the order is {status}; {reason}");
            plan = Plan::Stuck {
                step: Step::CreateShipment,
                undoing: true,
            };
        }
    }
    if matches!(fulfilment.plan, Plan::Recalling { .. }) && attempt.outcome == Outcome::Refused {
        facts.push(OrderEvent::CancelRefused {
            reason: reason.clone(),
        });
    }
    match plan {
        Plan::Undone if status != OrderStatus::Cancelled => facts.push(OrderEvent::OrderCancelled),
        Plan::Stuck { step, .. } if fulfilment.plan != plan => {
            facts.push(OrderEvent::InterventionRequired { step, reason });
        }
        _ => {}
    }
    Decision::new(fulfilment, plan, facts)
}

/// Why the order is called off when an attempt ends like this, if it is.
fn calls_off(fulfilment: &Fulfilment, outcome: Outcome) -> Option<CancelReason> {
    match (fulfilment.plan, outcome) {
        (Plan::Doing { step, .. }, Outcome::Refused) => Some(refusal(step)),
        (Plan::Recalling { .. }, Outcome::Done) => {
            Some(fulfilment.cancel.unwrap_or(CancelReason::Staff))
        }
        (Plan::Completed, Outcome::Refused) => Some(CancelReason::PeerRefused),
        _ => None,
    }
}

/// Why an order is called off when this step is refused.
fn refusal(step: Step) -> CancelReason {
    match step {
        Step::ReserveStock => CancelReason::OutOfStock,
        Step::ChargePayment => CancelReason::PaymentDeclined,
        Step::CreateShipment | Step::CommitStock => CancelReason::PeerRefused,
    }
}
