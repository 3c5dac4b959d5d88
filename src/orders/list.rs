//! Lists of orders: the caller's own, all orders for staff, or one customer's history. They may come from
//! a standby, which lags slightly behind.

use crate::db::order_list::{Listing, StatusCount, counts, follow};
use crate::db::run;
use crate::domain::ids::CustomerId;
use crate::domain::principal::{Principal, Role};
use crate::domain::search::OrderListQuery;

use super::{Error, Orders, for_staff, not_for_services};

/// Reads from the standby if there is one, and falls back to the primary when the standby fails.
macro_rules! read {
    ($orders:expr, |$reads:ident| $work:expr) => {
        async {
            if let Some(replica) = &$orders.replica
                && let Some($reads) = replica.reads()
            {
                match $work.await {
                    Err(error) if replica.falls_back(&error) => {}
                    result => return result,
                }
            }
            let $reads = &$orders.reads;
            $work.await
        }
    };
}

impl Orders {
    /// The orders that match the query and that the caller may see.
    pub async fn list(
        &self,
        caller: &Principal,
        search: &OrderListQuery,
    ) -> Result<Listing, Error> {
        let search = scoped(caller, search.clone())?;
        Ok(read!(self, |reads| reads.list(&search)).await?)
    }

    /// The same without a count, for a caller that reads the whole list page by page.
    pub async fn follow(
        &self,
        caller: &Principal,
        search: &OrderListQuery,
    ) -> Result<Listing, Error> {
        let search = scoped(caller, search.clone())?;
        Ok(read!(self, |reads| run!(reads.database(), |conn| follow(
            conn, &search
        )))
        .await?)
    }

    /// The number of orders per status; for staff.
    pub async fn counts(&self, caller: &Principal) -> Result<Vec<StatusCount>, Error> {
        for_staff(caller)?;
        Ok(read!(self, |reads| run!(reads.database(), |conn| counts(conn))).await?)
    }

    /// One customer's orders.
    pub async fn history(
        &self,
        caller: &Principal,
        customer_id: CustomerId,
        search: &OrderListQuery,
    ) -> Result<Listing, Error> {
        if !caller.may_see(customer_id) {
            return Err(Error::NothingHere);
        }
        let mut search = search.clone();
        search.filter.customer_id = Some(customer_id);
        self.list(caller, &search).await
    }
}

/// Restricts a query to the orders that the caller may see.
fn scoped(caller: &Principal, mut search: OrderListQuery) -> Result<OrderListQuery, Error> {
    not_for_services(caller)?;
    if search.filter.needs_attention.is_some() && caller.role != Role::Staff {
        return Err(Error::Forbidden("needs_attention is for staff"));
    }
    if let Some(owner) = caller.owner() {
        search.filter.customer_id = Some(owner);
    }
    Ok(search)
}
