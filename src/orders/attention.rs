//! Sagas that need attention: they are stuck, or take unusually long.

use std::time::Duration;

use crate::db::run;
use crate::db::sagas::{SagaStatus, needing_attention, status_of};
use crate::domain::ids::OrderId;
use crate::domain::principal::Principal;

use super::{Error, Orders, for_staff};

/// How long a saga may stay at one step before it is listed, although it is not stuck.
const SLOW_AFTER: Duration = Duration::from_secs(15 * 60);
/// The length of the list.
const MAX_LISTED: i64 = 100;

impl Orders {
    /// The sagas that are stuck, and those that have been at one step for a quarter of an hour, longest
    /// first; for staff.
    pub async fn needing_attention(&self, caller: &Principal) -> Result<Vec<SagaStatus>, Error> {
        for_staff(caller)?;
        let slow_after_s = SLOW_AFTER.as_secs_f64();
        let found = run!(self.db, |conn| needing_attention(
            conn,
            slow_after_s,
            MAX_LISTED
        ));
        Ok(found.await?)
    }

    /// The status of an order's saga; `None` for orders without one, such as imported orders. For staff.
    pub async fn saga_status(
        &self,
        caller: &Principal,
        order_id: OrderId,
    ) -> Result<Option<SagaStatus>, Error> {
        for_staff(caller)?;
        Ok(run!(self.db, |conn| status_of(conn, order_id)).await?)
    }
}
