//! Resolve a stuck saga: staff decide how it continues.

use crate::db::sagas::{ManualResolution, make_due_now, plan_of, resolve_stuck};
use crate::db::{events, optimistic, run};
use crate::domain::cancel_reason::CancelReason;
use crate::domain::event::OrderEvent;
use crate::domain::ids::OrderId;
use crate::domain::order::Order;
use crate::domain::principal::Principal;
use crate::domain::saga::plan::Plan;
use crate::domain::status::PaymentStatus;
use crate::failpoints;

use super::error::StateConflict;
use super::{Error, Orders, for_staff};

/// A decision of staff about a stuck saga.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resolution {
    /// Retry the step at which it is stuck.
    Retry,
    /// Staff completed all open steps by hand: the order is confirmed.
    Completed,
    /// Staff compensated all steps by hand: the order is cancelled and refunded.
    Cancelled,
}

impl Resolution {
    /// The name on the wire and in the events.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Retry => "retry",
            Self::Completed => "completed",
            Self::Cancelled => "cancelled",
        }
    }
}

impl Orders {
    /// Resolves a stuck saga; for staff. To retry a saga that is not stuck only makes it due now.
    ///
    /// # Errors
    /// [`Error::StateConflict`] when the saga is not stuck, or the order's statuses do not allow the
    /// resolution.
    pub async fn resolve(
        &self,
        caller: &Principal,
        order_id: OrderId,
        resolution: Resolution,
        reason: String,
    ) -> Result<Order, Error> {
        for_staff(caller)?;
        let (this, caller) = (self.clone(), caller.clone());
        self.detached(async move {
            let resolved =
                optimistic::retry(|| this.try_resolve(&caller, order_id, resolution, &reason));
            let order = resolved.await?.ok_or(Error::Busy)?;
            this.notifications.notify_due(order_id);
            Ok(order)
        })
        .await
    }

    /// Decides and writes; `None` when the order has changed meanwhile.
    async fn try_resolve(
        &self,
        caller: &Principal,
        order_id: OrderId,
        resolution: Resolution,
        reason: &str,
    ) -> Result<Option<Order>, Error> {
        let order = self.find(None, order_id).await?;
        let plan = run!(self.db, |conn| plan_of(conn, order_id)).await?;
        let (plan, mut events) = match decide(&order, plan, resolution)? {
            ResolutionDecision::RunNow => {
                run!(self.db, |conn| make_due_now(conn, order_id)).await?;
                return Ok(Some(order));
            }
            ResolutionDecision::Continue { plan, events } => (plan, events),
        };
        let resolved = OrderEvent::InterventionResolved {
            decision: resolution.as_str(),
            reason: reason.to_owned(),
        };
        events.insert(0, resolved.clone());
        let (state, events) = order.state.after(events);
        let actor = caller.actor();
        let manual = ManualResolution {
            plan,
            // No late-arrival check after a manual compensation: Payment may not know of the refund.
            due: resolution != Resolution::Cancelled,
            state: &state,
            events: &events,
            actor: &actor,
        };
        failpoints::pass(&["orders", "decide", "before_write"]);
        let written = run!(self.db, |conn| resolve_stuck(conn, &order, &manual)).await?;
        let seq = order.version + 1;
        // A write that changed nothing may repeat one that committed without an acknowledgement.
        let is_committed = written
            || run!(self.db, |conn| events::is_recorded(
                conn, order_id, seq, &resolved, &actor
            ))
            .await?;
        if !is_committed {
            return Ok(None);
        }
        failpoints::pass(&["orders", "decide", "after_write"]);
        self.find(None, order_id).await.map(Some)
    }
}

/// What a resolution has to write.
#[derive(Clone, Debug, PartialEq, Eq)]
enum ResolutionDecision {
    /// The saga is not stuck: its next attempt runs now.
    RunNow,
    /// The saga continues at another phase.
    Continue { plan: Plan, events: Vec<OrderEvent> },
}

/// Decides about a resolution. `plan` is the saga's, if the order has one.
fn decide(
    order: &Order,
    plan: Option<Plan>,
    resolution: Resolution,
) -> Result<ResolutionDecision, Error> {
    let order_id = order.order_id;
    let Some(retried) = plan.and_then(Plan::after_retry) else {
        return match (resolution, plan) {
            (Resolution::Retry, Some(_)) => Ok(ResolutionDecision::RunNow),
            _ => Err(StateConflict::NotStuck { order_id }.into()),
        };
    };
    let (plan, events) = match resolution {
        Resolution::Retry if retried.is_undoing() => (retried, compensation_started(order)?),
        Resolution::Retry => (retried, Vec::new()),
        Resolution::Completed => (Plan::Completed, confirmed(order)?),
        Resolution::Cancelled => (Plan::Undone, cancelled(order)?),
    };
    Ok(ResolutionDecision::Continue { plan, events })
}

/// The event that starts compensation, unless it has started.
fn compensation_started(order: &Order) -> Result<Vec<OrderEvent>, Error> {
    if order.state.cancel_reason.is_some() {
        return Ok(Vec::new());
    }
    if order.state.is_cancellable() {
        let reason = CancelReason::Staff;
        return Ok(vec![OrderEvent::CompensationStarted { reason }]);
    }
    let order_id = order.order_id;
    let why = "its parcel is on its way, or has arrived; resolve it as completed";
    Err(StateConflict::NotCancellable { order_id, why }.into())
}

/// The events of an order that staff completed by hand.
fn confirmed(order: &Order) -> Result<Vec<OrderEvent>, Error> {
    if order.state.cancel_reason.is_none() {
        return Ok(vec![OrderEvent::OrderConfirmed]);
    }
    let order_id = order.order_id;
    Err(StateConflict::AlreadyCancelling { order_id }.into())
}

/// The events of an order that staff compensated by hand.
fn cancelled(order: &Order) -> Result<Vec<OrderEvent>, Error> {
    let mut events = compensation_started(order)?;
    if order.state.payment_status == PaymentStatus::Paid {
        events.push(OrderEvent::PaymentStatusChanged {
            payment_status: PaymentStatus::Refunded,
        });
    }
    events.push(OrderEvent::OrderCancelled);
    Ok(events)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::samples::order;
    use crate::domain::status::{OrderStatus, ShippingStatus};
    use crate::domain::step::Step;

    const STUCK: Plan = Plan::Stuck {
        step: Step::ChargePayment,
        undoing: false,
    };

    #[test]
    fn only_a_stuck_saga_is_resolved() {
        for plan in [None, Some(Plan::Completed)] {
            let refused = decide(&order(), plan, Resolution::Completed).unwrap_err();
            assert!(matches!(
                refused,
                Error::StateConflict(StateConflict::NotStuck { .. })
            ));
        }
    }

    #[test]
    fn a_retry_of_a_running_saga_runs_it_now() {
        let decision = decide(&order(), Some(Plan::Completed), Resolution::Retry);
        assert_eq!(decision.unwrap(), ResolutionDecision::RunNow);
    }

    #[test]
    fn a_paid_order_is_refunded_when_cancelled_by_hand() {
        let mut order = order();
        order.state.payment_status = PaymentStatus::Paid;
        let decision = decide(&order, Some(STUCK), Resolution::Cancelled).unwrap();
        let ResolutionDecision::Continue { plan, events } = decision else {
            panic!("{decision:?}");
        };
        assert_eq!(plan, Plan::Undone);
        let (state, _) = order.state.after(events);
        assert_eq!(state.payment_status, PaymentStatus::Refunded);
        assert_eq!(state.order_status, OrderStatus::Cancelled);
    }

    #[test]
    fn a_shipped_order_is_not_cancelled_by_hand() {
        let mut order = order();
        order.state.order_status = OrderStatus::Shipped;
        order.state.shipping_status = ShippingStatus::Shipped;
        let refused = decide(&order, Some(STUCK), Resolution::Cancelled).unwrap_err();
        assert!(matches!(
            refused,
            Error::StateConflict(StateConflict::NotCancellable { .. })
        ));
    }

    #[test]
    fn a_cancelling_order_is_not_completed_by_hand() {
        let mut order = order();
        order.state.cancel_reason = Some(CancelReason::Staff);
        let refused = decide(&order, Some(STUCK), Resolution::Completed).unwrap_err();
        assert!(matches!(
            refused,
            Error::StateConflict(StateConflict::AlreadyCancelling { .. })
        ));
    }
}
