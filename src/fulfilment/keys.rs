//! The keys of an order's calls, and by them which of a peer's records are the order's.

use time::OffsetDateTime;
use uuid::Uuid;

use crate::db::fulfilments::Fulfilment;
use crate::domain::plan::Plan;
use crate::peers::CallContext;

/// The keys of an order's calls. They derive from its random identity and from what is asked, never
/// from the attempt: the same question is always asked with the same key.
#[derive(Debug)]
pub struct Keys {
    identity: Uuid,
    /// What Inventory knows the reservation by.
    pub reservation_id: String,
    /// Whether they were used before, and it led nowhere.
    is_retry: bool,
}

impl Keys {
    pub(super) fn of(fulfilment: &Fulfilment) -> Self {
        Self::of_lapsed(fulfilment, fulfilment.lapsed)
    }

    /// With the number of the reservation that was made after so many had lapsed.
    pub(super) fn of_lapsed(fulfilment: &Fulfilment, lapsed: i16) -> Self {
        Self {
            // A parcel that is followed is asked after anew each time.
            is_retry: fulfilment.attempts > 0 && fulfilment.plan != Plan::Completed,
            ..Self::of_reservation(fulfilment.identity, lapsed)
        }
    }

    /// Of an order by its identity and the number of its lapsed reservations.
    pub fn of_reservation(identity: Uuid, lapsed: i16) -> Self {
        let reservation_id = match lapsed {
            0 => identity.to_string(),
            lapsed => format!("{identity}-{lapsed}"),
        };
        Self {
            identity,
            reservation_id,
            is_retry: false,
        }
    }

    /// The key for one operation on the reservation.
    pub(super) fn reservation_key(&self, operation: &str) -> String {
        format!("{}-{operation}", self.reservation_id)
    }

    /// The key for one operation, such as `charge_payment`.
    pub fn key(&self, operation: &str) -> String {
        format!("{}-{operation}", self.identity)
    }

    /// A call's key and what ties it to the other calls of the same order.
    pub fn call_context<'a>(&'a self, key: &'a str) -> CallContext<'a> {
        CallContext {
            idempotency_key: key,
            trace_id: self.identity,
            request_id: &self.reservation_id,
            is_retry: self.is_retry,
        }
    }
}

/// By how much a peer's clock may be behind the database's.
const SKEW: time::Duration = time::Duration::minutes(10);

/// Whether a peer's record may be of the order that was accepted at that time, and not of one that
/// had its number in an earlier life of the database: it was made under this order's key, if it says
/// so, and not before the order.
pub fn may_be_ours(
    accepted_at: OffsetDateTime,
    our_key: &str,
    key: Option<&str>,
    created_at: Option<OffsetDateTime>,
) -> bool {
    key.is_none_or(|key| key == our_key) && created_at.is_none_or(|made| made >= accepted_at - SKEW)
}
