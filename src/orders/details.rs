//! One order, and its history.

use crate::db::{self, run};
use crate::domain::event::RecordedEvent;
use crate::domain::ids::OrderId;
use crate::domain::order::Order;
use crate::domain::principal::Principal;

use super::{Error, Orders};

/// An order and its history.
#[derive(Clone, Debug)]
pub struct Tracking {
    /// The order.
    pub order: Order,
    /// Its events, oldest first.
    pub events: Vec<RecordedEvent>,
}

impl Orders {
    /// One order, if the caller may see it.
    pub async fn details(&self, caller: &Principal, order_id: OrderId) -> Result<Order, Error> {
        self.find(caller.owner(), order_id).await
    }

    /// An order with its history, from one version.
    pub async fn tracking(&self, caller: &Principal, order_id: OrderId) -> Result<Tracking, Error> {
        let owner = caller.owner();
        let found = run!(self.db, |conn| async {
            let Some(order) = db::orders::find(conn, owner, order_id).await? else {
                return Ok(None);
            };
            let mut events = db::events::of_order(conn, order_id).await?;
            // Events written after the order was read belong to a later version.
            events.retain(|event| event.seq <= order.version);
            Ok(Some(Tracking { order, events }))
        });
        found.await?.ok_or(Error::NotFound(order_id))
    }
}
