//! Cancel an order: write a cancel request, which the saga honours at its next safe point.

use crate::db::idempotency::{self, IdempotencyKey};
use crate::db::sagas::request_cancel;
use crate::db::{optimistic, run};
use crate::domain::ids::OrderId;
use crate::domain::order::Order;
use crate::domain::principal::Principal;
use crate::domain::status::{OrderStatus, ShippingStatus};
use crate::failpoints;

use super::error::StateConflict;
use super::idempotency::{ClientKey, replayed};
use super::settle::is_settled;
use super::{Error, Expected, Orders, not_for_services};

/// An order that is cancelled or being cancelled.
#[derive(Clone, Debug)]
pub struct Cancelled {
    /// The order after the cancel request.
    pub order: Order,
    /// Whether this is a replay of an earlier request with the same idempotency key.
    pub replayed: bool,
}

impl Orders {
    /// Cancels an order, and returns it once it has settled or the wait is over: CANCELLED, or still
    /// on its way there. Cancelling a cancelled order succeeds. The idempotency key tells a replay
    /// from a first request, and from a request for another order.
    ///
    /// # Errors
    /// [`StateConflict::NotCancellable`] when the order can no longer be cancelled.
    pub async fn cancel(
        &self,
        caller: &Principal,
        order_id: OrderId,
        key: Option<ClientKey>,
        expected: Expected,
    ) -> Result<Cancelled, Error> {
        not_for_services(caller)?;
        let key = key.map(|key| key.scoped(caller, "cancel"));
        let (this, caller) = (self.clone(), caller.clone());
        self.detached(async move {
            let settled = this.notifications.subscribe_settled(order_id);
            let requested =
                optimistic::retry(|| this.try_cancel(&caller, order_id, key.as_ref(), &expected));
            let Cancelled { order, replayed } = requested.await?.ok_or(Error::Busy)?;
            this.notifications.notify_due(order_id);
            let order = this.settle(order, settled).await;
            if is_settled(&order) && order.state.order_status != OrderStatus::Cancelled {
                return Err(too_late(&order));
            }
            Ok(Cancelled { order, replayed })
        })
        .await
    }

    /// Writes the cancel request, unless there is one already; `None` when the order or the key has
    /// changed meanwhile.
    async fn try_cancel(
        &self,
        caller: &Principal,
        order_id: OrderId,
        key: Option<&IdempotencyKey>,
        expected: &Expected,
    ) -> Result<Option<Cancelled>, Error> {
        let order = self.find(caller.owner(), order_id).await?;
        let replayed = self.is_replay(key).await?;
        let new_key = key.filter(|_| !replayed);
        match decide(&order, replayed, expected)? {
            CancelDecision::AlreadyRequested => {
                let is_stored = self.store_key(new_key, order_id).await?;
                Ok(is_stored.then_some(Cancelled { order, replayed }))
            }
            CancelDecision::Request => {
                let written = self.write_request(caller, &order, new_key).await?;
                Ok(written.map(|order| Cancelled { order, replayed }))
            }
        }
    }

    /// Whether the key belongs to an earlier cancel of this order.
    async fn is_replay(&self, key: Option<&IdempotencyKey>) -> Result<bool, Error> {
        let Some(key) = key else { return Ok(false) };
        let earlier = run!(self.db, |conn| idempotency::find(conn, key)).await?;
        Ok(replayed(key, earlier)?.is_some())
    }

    /// Stores the key of a cancel that needs no other write; `false` when another request has used it
    /// meanwhile.
    async fn store_key(
        &self,
        key: Option<&IdempotencyKey>,
        order_id: OrderId,
    ) -> Result<bool, Error> {
        let Some(key) = key else { return Ok(true) };
        failpoints::pass(&["orders", "cancel", "before_write"]);
        let is_stored = run!(self.db, |conn| idempotency::store(conn, key, order_id)).await?;
        failpoints::pass(&["orders", "cancel", "after_write"]);
        Ok(is_stored)
    }

    async fn write_request(
        &self,
        caller: &Principal,
        order: &Order,
        key: Option<&IdempotencyKey>,
    ) -> Result<Option<Order>, Error> {
        let (reason, actor) = (caller.cancel_reason(), caller.actor());
        failpoints::pass(&["orders", "cancel", "before_write"]);
        let request = run!(self.db, |conn| request_cancel(
            conn, order, reason, &actor, key
        ));
        let written = request.await?;
        failpoints::pass(&["orders", "cancel", "after_write"]);
        if written.is_some() {
            return Ok(written);
        }
        let order_id = order.order_id;
        let now = self.find(caller.owner(), order_id).await?;
        if now.version == order.version && !self.is_replay(key).await? {
            let why = "it is not fulfilled by this service, or waits for a decision by staff";
            return Err(StateConflict::NotCancellable { order_id, why }.into());
        }
        Ok(None)
    }
}

/// What a cancel has to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum CancelDecision {
    /// No cancel request: the order has one, or is cancelled.
    AlreadyRequested,
    /// A cancel request.
    Request,
}

/// Decides about a cancel. A replay returns its own earlier effect at any version, but writes a new
/// request only at an expected version.
fn decide(order: &Order, replayed: bool, expected: &Expected) -> Result<CancelDecision, Error> {
    if !replayed {
        expected.check(order)?;
    }
    let is_cancelling = matches!(
        order.state.order_status,
        OrderStatus::Cancelling | OrderStatus::Cancelled
    );
    if order.cancel_requested || is_cancelling {
        return Ok(CancelDecision::AlreadyRequested);
    }
    if !order.state.accepts_cancel_request() {
        return Err(too_late(order));
    }
    expected.check(order)?;
    Ok(CancelDecision::Request)
}

/// The refusal of a cancel that comes too late.
fn too_late(order: &Order) -> Error {
    let why = match (order.state.order_status, order.state.shipping_status) {
        (OrderStatus::Delivered, _) => "it was delivered",
        (_, ShippingStatus::Unknown) => "the status of its parcel is unknown",
        _ => "it is on its way",
    };
    let order_id = order.order_id;
    StateConflict::NotCancellable { order_id, why }.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::samples::order;

    #[test]
    fn an_open_order_gets_a_cancel_request() {
        for order_status in [OrderStatus::Pending, OrderStatus::Confirmed] {
            let mut order = order();
            order.state.order_status = order_status;
            let decision = decide(&order, false, &Expected::Any).unwrap();
            assert_eq!(decision, CancelDecision::Request);
        }
    }

    #[test]
    fn a_second_cancel_writes_no_request() {
        let mut requested = order();
        requested.cancel_requested = true;
        let mut cancelled = order();
        cancelled.state.order_status = OrderStatus::Cancelled;
        for order in [requested, cancelled] {
            let decision = decide(&order, false, &Expected::Any).unwrap();
            assert_eq!(decision, CancelDecision::AlreadyRequested);
        }
    }

    #[test]
    fn a_shipped_order_is_not_cancellable() {
        let mut order = order();
        order.state.order_status = OrderStatus::Confirmed;
        order.state.shipping_status = ShippingStatus::Shipped;
        let refused = decide(&order, false, &Expected::Any).unwrap_err();
        assert!(matches!(
            refused,
            Error::StateConflict(StateConflict::NotCancellable { .. })
        ));
    }

    #[test]
    fn only_a_replay_passes_another_version() {
        let other = Expected::OneOf(vec![order().version + 1]);
        let mut cancelled = order();
        cancelled.state.order_status = OrderStatus::Cancelled;
        let decision = decide(&cancelled, true, &other).unwrap();
        assert_eq!(decision, CancelDecision::AlreadyRequested);
        for (order, replayed) in [(cancelled, false), (order(), false), (order(), true)] {
            let refused = decide(&order, replayed, &other);
            assert!(matches!(refused, Err(Error::VersionMismatch { .. })));
        }
    }
}
