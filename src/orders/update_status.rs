//! Update an order's statuses as reported by staff and peer services. Repeated, late and out-of-order
//! updates are harmless: a status behind the current one changes nothing.

use crate::db::sagas::make_due_now;
use crate::db::{self, optimistic, run};
use crate::domain::event::OrderEvent;
use crate::domain::ids::OrderId;
use crate::domain::order::Order;
use crate::domain::principal::{Principal, Role};
use crate::domain::status::{OrderStatus, PaymentStatus, ShippingStatus, Status};

use super::error::StateConflict;
use super::{Error, Expected, Orders};

/// Reported statuses of an order; at least one is given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StatusUpdate {
    /// The order's status; for staff.
    pub order_status: Option<OrderStatus>,
    /// The payment's status.
    pub payment_status: Option<PaymentStatus>,
    /// The shipping status, and the carrier's word for it.
    pub shipping_status: Option<(ShippingStatus, String)>,
}

impl Orders {
    /// Moves the order's statuses along the transition table.
    ///
    /// # Errors
    /// [`StateConflict::Transition`] when the table does not allow a transition.
    pub async fn update_status(
        &self,
        caller: &Principal,
        order_id: OrderId,
        update: StatusUpdate,
        expected: Expected,
    ) -> Result<Order, Error> {
        match caller.role {
            Role::Customer => {
                // Another customer's order is reported as not found.
                self.find(caller.owner(), order_id).await?;
                return Err(Error::Forbidden(
                    "only staff and peer services may report a status",
                ));
            }
            Role::Service if update.order_status.is_some() => {
                return Err(Error::Forbidden("only staff may set order_status"));
            }
            Role::Service | Role::Staff => {}
        }
        let (this, caller) = (self.clone(), caller.clone());
        self.detached(async move {
            let updated =
                optimistic::retry(|| this.try_update(&caller, order_id, &update, &expected));
            updated.await?.ok_or(Error::Busy)
        })
        .await
    }

    /// Decides and writes; `None` when the order has changed meanwhile.
    async fn try_update(
        &self,
        caller: &Principal,
        order_id: OrderId,
        update: &StatusUpdate,
        expected: &Expected,
    ) -> Result<Option<Order>, Error> {
        let order = self.find(None, order_id).await?;
        expected.check(&order)?;
        let decision = decide(&order, update)?;
        let (state, events) = order.state.after(decision.events);
        if decision.wakes_saga {
            run!(self.db, |conn| make_due_now(conn, order_id)).await?;
            self.notifications.notify_due(order_id);
        }
        if events.is_empty() {
            return Ok(Some(order));
        }
        let actor = caller.actor();
        let advanced = run!(self.db, |conn| db::orders::advance(
            conn, &order, &state, &events, &actor
        ));
        if !advanced.await? {
            return Ok(None);
        }
        self.notifications.notify_changed(order_id);
        self.find(None, order_id).await.map(Some)
    }
}

/// The effect of an update on an order.
#[derive(Clone, Debug, PartialEq, Eq)]
struct UpdateDecision {
    /// The transitions to write.
    events: Vec<OrderEvent>,
    /// Whether the saga checks the update with the peers.
    wakes_saga: bool,
}

fn decide(order: &Order, update: &StatusUpdate) -> Result<UpdateDecision, Error> {
    let wakes_saga = is_for_saga(order, update);
    let payment = payment_transition(order, update)?;
    let shipping = shipping_transition(order, update)?;
    Ok(UpdateDecision {
        events: payment.into_iter().chain(shipping).collect(),
        wakes_saga,
    })
}

/// Whether the saga decides about the update. Such an update only makes the saga due now; the saga writes
/// the status itself.
///
/// - The saga queries Payment itself while it runs and after it has compensated the order.
/// - The saga may have recalled a cancelled parcel itself.
/// - The saga queries Shipping itself while a cancel request is open.
fn is_for_saga(order: &Order, update: &StatusUpdate) -> bool {
    update
        .payment_status
        .is_some_and(|to| is_payment_for_saga(order, to))
        || is_recalled_parcel(order, update)
        || order.cancel_requested
}

/// For a cancelled order, only a report of a paid charge matters to the saga.
fn is_payment_for_saga(order: &Order, to: PaymentStatus) -> bool {
    match order.state.order_status {
        OrderStatus::Pending | OrderStatus::Cancelling => true,
        OrderStatus::Cancelled => to == PaymentStatus::Paid,
        _ => false,
    }
}

fn is_recalled_parcel(order: &Order, update: &StatusUpdate) -> bool {
    use OrderStatus::{Cancelled, Cancelling, Confirmed, Pending};
    matches!(update.shipping_status, Some((ShippingStatus::Cancelled, _)))
        && matches!(
            order.state.order_status,
            Pending | Confirmed | Cancelling | Cancelled
        )
}

fn payment_transition(order: &Order, update: &StatusUpdate) -> Result<Option<OrderEvent>, Error> {
    let Some(payment_status) = update.payment_status else {
        return Ok(None);
    };
    if is_payment_for_saga(order, payment_status) {
        return Ok(None);
    }
    let is_ahead = is_transition(
        order,
        "payment_status",
        order.state.payment_status,
        payment_status,
        "the transition is not allowed",
    )?;
    Ok(is_ahead.then_some(OrderEvent::PaymentStatusChanged { payment_status }))
}

fn shipping_transition(order: &Order, update: &StatusUpdate) -> Result<Option<OrderEvent>, Error> {
    let reported = match &update.shipping_status {
        _ if order.cancel_requested => None,
        Some(_) if is_recalled_parcel(order, update) => None,
        Some(reported) => Some(reported.clone()),
        None => match update.order_status {
            Some(to) => parcel_of(order, to)?,
            None => None,
        },
    };
    let Some((shipping_status, carrier_status)) = reported else {
        return Ok(None);
    };
    let is_ahead = is_transition(
        order,
        "shipping_status",
        order.state.shipping_status,
        shipping_status,
        "the transition is not allowed",
    )?;
    Ok(is_ahead.then_some(OrderEvent::ShippingStatusChanged {
        shipping_status,
        carrier_status,
    }))
}

/// The shipping status that an order status stands for; `None` when the order already has that status
/// or a later one.
fn parcel_of(order: &Order, to: OrderStatus) -> Result<Option<(ShippingStatus, String)>, Error> {
    let from = order.state.order_status;
    if from == to || to.reaches(from) {
        return Ok(None);
    }
    let refuse = |why| Err(no_transition(order, "order_status", from, to, why));
    let parcel = match to {
        OrderStatus::Shipped => ShippingStatus::Shipped,
        OrderStatus::Delivered => ShippingStatus::Delivered,
        OrderStatus::Cancelling | OrderStatus::Cancelled => {
            return refuse("use the cancel operation");
        }
        OrderStatus::Pending | OrderStatus::Confirmed => {
            return refuse("only fulfilment confirms an order");
        }
    };
    match from {
        OrderStatus::Confirmed | OrderStatus::Shipped => Ok(Some((parcel, to.to_string()))),
        _ => refuse("only a confirmed order is shipped"),
    }
}

/// Whether `to` lies ahead of `from` in the transition table. `false` for the current or an earlier status.
///
/// # Errors
/// The transition is not allowed.
fn is_transition<S: Status>(
    order: &Order,
    field: &'static str,
    from: S,
    to: S,
    why: &'static str,
) -> Result<bool, Error> {
    if from.reaches(to) {
        return Ok(true);
    }
    if from == to || to.reaches(from) {
        return Ok(false);
    }
    Err(no_transition(order, field, from, to, why))
}

fn no_transition<S: Status>(
    order: &Order,
    field: &'static str,
    from: S,
    to: S,
    why: &'static str,
) -> Error {
    let transition = StateConflict::Transition {
        order_id: order.order_id,
        field,
        from: from.as_str(),
        to: to.as_str(),
        why,
    };
    transition.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::samples::order;

    fn confirmed() -> Order {
        let mut order = order();
        order.state.order_status = OrderStatus::Confirmed;
        order.state.payment_status = PaymentStatus::Paid;
        order
    }

    fn parcel(to: ShippingStatus) -> StatusUpdate {
        StatusUpdate {
            shipping_status: Some((to, "carrier".to_owned())),
            ..StatusUpdate::default()
        }
    }

    fn payment(to: PaymentStatus) -> StatusUpdate {
        StatusUpdate {
            payment_status: Some(to),
            ..StatusUpdate::default()
        }
    }

    fn staff(to: OrderStatus) -> StatusUpdate {
        StatusUpdate {
            order_status: Some(to),
            ..StatusUpdate::default()
        }
    }

    fn is_refused(order: &Order, update: &StatusUpdate) -> bool {
        matches!(
            decide(order, update),
            Err(Error::StateConflict(StateConflict::Transition { .. }))
        )
    }

    #[test]
    fn a_status_ahead_is_written() {
        let decision = decide(&confirmed(), &parcel(ShippingStatus::Shipped)).unwrap();
        assert_eq!(decision.events.len(), 1);
        assert!(!decision.wakes_saga);
    }

    #[test]
    fn a_repeated_or_late_status_changes_nothing() {
        let mut order = confirmed();
        order.state.order_status = OrderStatus::Delivered;
        order.state.shipping_status = ShippingStatus::Delivered;
        for update in [
            parcel(ShippingStatus::Delivered),
            parcel(ShippingStatus::Shipped),
            staff(OrderStatus::Shipped),
            staff(OrderStatus::Delivered),
            payment(PaymentStatus::Paid),
        ] {
            assert_eq!(decide(&order, &update).unwrap().events, []);
        }
    }

    #[test]
    fn a_status_off_the_table_is_refused() {
        let mut delivered = confirmed();
        delivered.state.order_status = OrderStatus::Delivered;
        delivered.state.shipping_status = ShippingStatus::Delivered;
        assert!(is_refused(&delivered, &parcel(ShippingStatus::Cancelled)));
        assert!(is_refused(&confirmed(), &payment(PaymentStatus::Failed)));
        assert!(is_refused(&confirmed(), &staff(OrderStatus::Cancelled)));
        assert!(is_refused(&order(), &staff(OrderStatus::Shipped)));
        assert!(is_refused(&order(), &staff(OrderStatus::Confirmed)));
    }

    #[test]
    fn the_saga_decides_about_payments_while_it_runs() {
        let decision = decide(&order(), &payment(PaymentStatus::Paid)).unwrap();
        assert_eq!(decision.events, []);
        assert!(decision.wakes_saga);
    }

    #[test]
    fn the_saga_decides_about_a_recalled_parcel() {
        let decision = decide(&confirmed(), &parcel(ShippingStatus::Cancelled)).unwrap();
        assert_eq!(decision.events, []);
        assert!(decision.wakes_saga);
    }

    #[test]
    fn an_open_cancel_request_leaves_the_parcel_to_the_saga() {
        let mut order = confirmed();
        order.cancel_requested = true;
        let decision = decide(&order, &parcel(ShippingStatus::Shipped)).unwrap();
        assert_eq!(decision.events, []);
        assert!(decision.wakes_saga);
    }
}
