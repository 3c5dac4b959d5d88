//! Cancel an order: leave the wish with fulfilment, which acts on it at its next safe point.

use crate::db::fulfilments::request_cancel;
use crate::db::{idempotency, run};
use crate::domain::ids::OrderId;
use crate::domain::order::Order;
use crate::domain::principal::Principal;
use crate::domain::status::{OrderStatus, ShippingStatus};
use crate::failpoints;

use super::settle::is_settled;
use super::{ClientKey, Error, Orders, Refusal, not_for_services};

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
    ) -> Result<Cancelled, Error> {
        not_for_services(caller)?;
        let (this, caller) = (self.clone(), caller.clone());
        self.detached(async move {
            let replayed = match key {
                Some(key) => this.remember(&caller, order_id, key).await?,
                None => false,
            };
            let settling = this.signals.settling(order_id);
            let order = this.wish_to_cancel(&caller, order_id).await?;
            this.signals.nudge(order_id);
            let order = this.settle(order, settling).await;
            if is_settled(&order) && order.state.order_status != OrderStatus::Cancelled {
                return Err(too_late(&order));
            }
            Ok(Cancelled { order, replayed })
        })
        .await
    }

    /// Keeps a key; whether it was kept before.
    async fn remember(
        &self,
        caller: &Principal,
        order_id: OrderId,
        key: ClientKey,
    ) -> Result<bool, Error> {
        self.find(caller.owner(), order_id).await?;
        let key = key.of(caller, "cancel");
        failpoints::pass(&["orders", "cancel", "before_key"]);
        let keep = run!(self.db, |conn| idempotency::keep(conn, &key, order_id));
        let is_new = keep.await?;
        failpoints::pass(&["orders", "cancel", "after_key"]);
        if is_new {
            return Ok(false);
        }
        let find = run!(self.db, |conn| idempotency::find(conn, &key));
        match find.await? {
            Some(used) if used.fingerprint != key.fingerprint => Err(Error::KeyReused),
            used => Ok(used.is_some()),
        }
    }

    async fn wish_to_cancel(&self, caller: &Principal, order_id: OrderId) -> Result<Order, Error> {
        for _ in 0..TRIES {
            let mut order = self.find(caller.owner(), order_id).await?;
            let status = order.state.order_status;
            if order.cancel_requested
                || matches!(status, OrderStatus::Cancelling | OrderStatus::Cancelled)
            {
                return Ok(order);
            }
            if !order.state.can_be_cancelled() {
                return Err(too_late(&order));
            }
            let (reason, actor) = (caller.cancel_reason(), caller.actor());
            failpoints::pass(&["orders", "cancel", "before_write"]);
            let wished = run!(self.db, |conn| request_cancel(conn, &order, reason, &actor)).await?;
            failpoints::pass(&["orders", "cancel", "after_write"]);
            if wished {
                order.cancel_requested = true;
                return Ok(order);
            }
            if self.find(caller.owner(), order_id).await?.version == order.version {
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
