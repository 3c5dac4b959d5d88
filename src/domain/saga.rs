//! The saga of an order as a pure state machine: `reserve_stock → charge_payment → create_shipment →
//! commit_stock`, compensated in reverse. [`plan`] is the policy, [`transition`] applies the result of a
//! step, [`retry`] decides when the saga runs again. The module `saga` executes what is decided here.

use uuid::Uuid;

use super::cancel_reason::CancelReason;
use super::ids::OrderId;
use super::order::Order;
use plan::Plan;

pub mod acknowledgement;
pub mod plan;
pub mod retry;
pub mod step_result;
pub mod transition;

pub use acknowledgement::Acknowledgement;
pub use plan::{Doubt, Phase, StepOutcome};
pub use retry::{Backoff, NextRun, RetryPolicy};
pub use step_result::StepResult;
pub use transition::{Durability, Transition};

/// The right to execute a saga until its lease ends or another worker claims it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The order.
    pub order_id: OrderId,
    /// The fencing token: each claim raises it, and a write that names an older epoch has no effect.
    pub epoch: i64,
}

/// The saga of one order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Saga {
    /// The claim under which it is executed.
    pub claim: Claim,
    /// The order's UUIDv7, from which the keys sent to peers derive.
    pub identity: Uuid,
    /// The position in the state machine.
    pub plan: Plan,
    /// How many reservations have expired at Inventory.
    pub lapsed: i16,
    /// Consecutive attempts at the current step without a definite answer.
    pub attempts: i32,
    /// The number of committed transitions. After a lost acknowledgement the worker reads from this whether
    /// its write committed.
    pub turns: i32,
    /// The reason of an open cancel request.
    pub cancel_request: Option<CancelReason>,
    /// Payment's id of the charge.
    pub payment_id: Option<String>,
    /// Shipping's id of the parcel.
    pub shipment_id: Option<String>,
    /// The order.
    pub order: Order,
}

/// The epoch of a new saga: a random part of its identity. After a failover that lost an order, its
/// order id is assigned again; the random epoch fences the worker of the lost order off the new one.
pub fn first_epoch(identity: Uuid) -> i64 {
    let [.., a, b, c, d] = identity.into_bytes();
    u32::from_be_bytes([a, b, c, d]).into()
}

impl Saga {
    /// The saga of an order that this process has placed under a lease of its own.
    pub fn placed(order: Order, identity: Uuid) -> Self {
        Self {
            claim: Claim {
                order_id: order.order_id,
                epoch: first_epoch(identity),
            },
            identity,
            plan: Plan::START,
            lapsed: 0,
            attempts: 0,
            turns: 0,
            cancel_request: None,
            payment_id: None,
            shipment_id: None,
            order,
        }
    }

    /// Whether the process that placed the order still holds its first lease.
    pub fn is_first_lease(&self) -> bool {
        self.claim.epoch == first_epoch(self.identity)
    }

    /// The saga with everything in doubt that its worker may have sent: the row has lost progress.
    pub fn in_doubt(self) -> Self {
        Self {
            plan: self.plan.in_doubt(),
            ..self
        }
    }
}

#[cfg(test)]
mod tests;
