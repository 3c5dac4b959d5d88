//! Cancel an order: leave the wish with fulfilment, which acts on it at its next safe point.

use crate::db::fulfilments::request_cancel;
use crate::db::idempotency::{self, Key};
use crate::db::run;
use crate::domain::ids::OrderId;
use crate::domain::order::Order;
use crate::domain::principal::Principal;
use crate::domain::status::{OrderStatus, ShippingStatus};
use crate::failpoints;

use super::settle::is_settled;
use super::{ClientKey, Error, Expected, Orders, Refusal, not_for_services};

/// How often to decide anew when the order changes at the same moment.
const TRIES: usize = 5;

/// An order that is called off, or on its way there.
#[derive(Clone, Debug)]
pub struct Cancelled {
    /// The order.
    pub order: Order,
    /// Whether it was asked for before, with the same key.
    pub replayed: bool,
}

impl Orders {
    /// Calls an order off. The answer is the order as it stands when the wait is over: CANCELLED, or
    /// still on its way there. An order that is called off already stays so; a key tells a repeat
    /// from a first request, and from one for another order.
    pub async fn cancel(
        &self,
        caller: &Principal,
        order_id: OrderId,
        key: Option<ClientKey>,
        expected: Expected,
    ) -> Result<Cancelled, Error> {
        not_for_services(caller)?;
        let key = key.map(|key| key.of(caller, "cancel"));
        let (this, caller) = (self.clone(), caller.clone());
        self.detached(async move {
            let settling = this.notifications.subscribe_settled(order_id);
            let wished = this.wish_to_cancel(&caller, order_id, key.as_ref(), &expected);
            let Cancelled { order, replayed } = wished.await?;
            this.notifications.notify_due(order_id);
            let order = this.settle(order, settling).await;
            if is_settled(&order) && order.state.order_status != OrderStatus::Cancelled {
                return Err(too_late(&order));
            }
            Ok(Cancelled { order, replayed })
        })
        .await
    }

    /// Whether a key stands for an earlier cancel of this order.
    async fn is_repeat(&self, key: Option<&Key>) -> Result<bool, Error> {
        let Some(key) = key else { return Ok(false) };
        match run!(self.db, |conn| idempotency::find(conn, key)).await? {
            Some(used) if used.fingerprint != key.fingerprint => Err(Error::KeyReused),
            used => Ok(used.is_some()),
        }
    }

    /// Keeps a key of a cancel that found its work done; `false` when it was used in the meantime.
    async fn keep(&self, key: Option<&Key>, order_id: OrderId) -> Result<bool, Error> {
        let Some(key) = key else { return Ok(true) };
        failpoints::pass(&["orders", "cancel", "before_write"]);
        let kept = run!(self.db, |conn| idempotency::keep(conn, key, order_id)).await?;
        failpoints::pass(&["orders", "cancel", "after_write"]);
        Ok(kept)
    }

    /// Writes the wish, unless it is there already. A repeat by key asks for what it has caused itself,
    /// whatever version it names; what is to be written anew never passes over the expected version.
    async fn wish_to_cancel(
        &self,
        caller: &Principal,
        order_id: OrderId,
        key: Option<&Key>,
        expected: &Expected,
    ) -> Result<Cancelled, Error> {
        for _ in 0..TRIES {
            let order = self.find(caller.owner(), order_id).await?;
            let replayed = self.is_repeat(key).await?;
            if !replayed {
                expected.check(&order)?;
            }
            let status = order.state.order_status;
            if order.cancel_requested
                || matches!(status, OrderStatus::Cancelling | OrderStatus::Cancelled)
            {
                if replayed || self.keep(key, order_id).await? {
                    return Ok(Cancelled { order, replayed });
                }
                continue;
            }
            if !order.state.accepts_cancel_request() {
                return Err(too_late(&order));
            }
            expected.check(&order)?;
            let new_key = key.filter(|_| !replayed);
            let (reason, actor) = (caller.cancel_reason(), caller.actor());
            failpoints::pass(&["orders", "cancel", "before_write"]);
            let wished = run!(self.db, |conn| request_cancel(
                conn, &order, reason, &actor, new_key
            ))
            .await?;
            failpoints::pass(&["orders", "cancel", "after_write"]);
            if let Some(order) = wished {
                return Ok(Cancelled { order, replayed });
            }
            let now = self.find(caller.owner(), order_id).await?;
            if now.version == order.version && !self.is_repeat(new_key).await? {
                let why = "it is not fulfilled by this service, or waits for a person's decision";
                return Err(Error::NotNow(Refusal::Cancel { order_id, why }));
            }
        }
        Err(Error::Busy)
    }
}

fn too_late(order: &Order) -> Error {
    let why = match (order.state.order_status, order.state.shipping_status) {
        (OrderStatus::Delivered, _) => "it was delivered",
        (_, ShippingStatus::Unknown) => "nobody can say where its parcel is",
        _ => "it is on its way",
    };
    Error::NotNow(Refusal::Cancel {
        order_id: order.order_id,
        why,
    })
}
