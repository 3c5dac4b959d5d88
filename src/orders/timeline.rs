//! An order's numbered events, page by page.

use crate::db;
use crate::db::events::EventPage;
use crate::db::run;
use crate::domain::ids::OrderId;
use crate::domain::principal::Principal;

use super::{Error, Orders};

impl Orders {
    /// At most `limit` events with numbers above `after`, oldest first.
    pub async fn timeline(
        &self,
        caller: &Principal,
        order_id: OrderId,
        after: i32,
        limit: u32,
    ) -> Result<EventPage, Error> {
        let found = run!(self.db, |conn| db::events::page(
            conn,
            caller.owner(),
            order_id,
            after,
            limit.into()
        ));
        found.await?.ok_or(Error::NotFound(order_id))
    }

    /// The version of an order, which is the number of its latest event.
    pub async fn version(&self, caller: &Principal, order_id: OrderId) -> Result<i32, Error> {
        let found = run!(self.db, |conn| db::orders::version(
            conn,
            caller.owner(),
            order_id
        ));
        found.await?.ok_or(Error::NotFound(order_id))
    }
}
