//! Lists of orders: the caller's own, all orders for staff, or one customer's history. They may come from
//! a standby, which lags slightly behind.

use crate::db::order_list::{OrderListPage, StatusCount, counts, list_without_count};
use crate::db::run;
use crate::domain::ids::CustomerId;
use crate::domain::principal::{Principal, Role};
use crate::domain::search::OrderListQuery;

use super::{Error, Orders, for_staff, not_for_services};

/// Reads from the standby if there is one, and falls back to the primary when the standby fails.
macro_rules! read {
    ($orders:expr, |$loader:ident| $work:expr) => {
        async {
            if let Some(replica) = &$orders.replica
                && let Some($loader) = replica.loader()
            {
                match $work.await {
                    Err(error) if replica.falls_back(&error) => {}
                    result => return result,
                }
            }
            let $loader = &$orders.loader;
            $work.await
        }
    };
}

impl Orders {
    /// The orders that match the query and that the caller may see.
    pub async fn list(
        &self,
        caller: &Principal,
        query: &OrderListQuery,
    ) -> Result<OrderListPage, Error> {
        let query = scoped(caller, query.clone())?;
        Ok(read!(self, |loader| loader.list(&query)).await?)
    }

    /// The orders that match, without the total count, for a caller that reads the whole list page by page.
    pub async fn list_without_count(
        &self,
        caller: &Principal,
        query: &OrderListQuery,
    ) -> Result<OrderListPage, Error> {
        let query = scoped(caller, query.clone())?;
        Ok(read!(self, |loader| run!(loader.pool(), |conn| {
            list_without_count(conn, &query)
        }))
        .await?)
    }

    /// The number of orders per status; for staff.
    pub async fn counts(&self, caller: &Principal) -> Result<Vec<StatusCount>, Error> {
        for_staff(caller)?;
        Ok(read!(self, |loader| run!(loader.pool(), |conn| counts(conn))).await?)
    }

    /// One customer's orders.
    pub async fn history(
        &self,
        caller: &Principal,
        customer_id: CustomerId,
        query: &OrderListQuery,
    ) -> Result<OrderListPage, Error> {
        if !caller.may_see(customer_id) {
            return Err(Error::NothingHere);
        }
        let mut query = query.clone();
        query.filter.customer_id = Some(customer_id);
        self.list(caller, &query).await
    }
}

/// Restricts a query to the orders that the caller may see.
fn scoped(caller: &Principal, mut query: OrderListQuery) -> Result<OrderListQuery, Error> {
    not_for_services(caller)?;
    if query.filter.needs_attention.is_some() && caller.role != Role::Staff {
        return Err(Error::Forbidden("needs_attention is for staff"));
    }
    if let Some(owner) = caller.owner() {
        query.filter.customer_id = Some(owner);
    }
    Ok(query)
}
