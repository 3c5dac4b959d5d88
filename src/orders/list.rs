//! Lists of orders: the caller's own, everybody's for staff, one customer's history.

use crate::db::order_list::{Listing, list};
use crate::db::run;
use crate::domain::ids::CustomerId;
use crate::domain::principal::Principal;
use crate::domain::search::Search;

use super::{Error, Orders, not_for_services};

impl Orders {
    /// The orders that the caller may see and the search lets through.
    pub async fn list(&self, caller: &Principal, mut search: Search) -> Result<Listing, Error> {
        not_for_services(caller)?;
        if let Some(owner) = caller.owner() {
            search.filter.customer_id = Some(owner);
        }
        Ok(run!(self.db, |conn| list(conn, &search)).await?)
    }

    /// One customer's orders.
    pub async fn history(
        &self,
        caller: &Principal,
        customer_id: CustomerId,
        mut search: Search,
    ) -> Result<Listing, Error> {
        if !caller.may_see(customer_id) {
            return Err(Error::NothingHere);
        }
        search.filter.customer_id = Some(customer_id);
        self.list(caller, search).await
    }
}
