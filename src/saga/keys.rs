//! The idempotency keys of an order's calls, and which of a peer's records belong to the order.

use time::OffsetDateTime;
use uuid::Uuid;

use crate::domain::saga::Saga;
use crate::domain::saga::plan::Plan;
use crate::peers::CallContext;

/// The idempotency keys of an order's calls. They derive from its random identity and from the operation,
/// never from the attempt: a repeated request carries the same key.
#[derive(Debug)]
pub struct CallKeys {
    identity: Uuid,
    /// The id under which Inventory knows the reservation.
    pub reservation_id: String,
    /// Whether an earlier attempt used them without a definite answer.
    is_retry: bool,
}

impl CallKeys {
    pub(super) fn of(saga: &Saga) -> Self {
        Self::after_lapses(saga, saga.lapsed)
    }

    /// The keys of the reservation that was made after so many had expired.
    pub(super) fn after_lapses(saga: &Saga, lapsed: i16) -> Self {
        Self {
            // Tracking asks anew each time.
            is_retry: saga.attempts > 0 && saga.plan != Plan::Completed,
            ..Self::of_reservation(saga.identity, lapsed)
        }
    }

    /// The keys of an order by its identity and the number of its expired reservations.
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

    /// The key of an operation on the reservation.
    pub(super) fn reservation_key(&self, operation: &str) -> String {
        format!("{}-{operation}", self.reservation_id)
    }

    /// The key of an operation, such as `charge_payment`.
    pub fn key(&self, operation: &str) -> String {
        format!("{}-{operation}", self.identity)
    }

    /// The key of a call, with the ids that tie it to the other calls of the order.
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

/// Whether a peer's record may belong to the order that was accepted at that time. Its idempotency key
/// decides, if it has one. Its time excludes records of an order that had the same id before the database
/// was restored.
pub fn may_be_ours(
    accepted_at: OffsetDateTime,
    our_key: &str,
    key: Option<&str>,
    created_at: Option<OffsetDateTime>,
) -> bool {
    key.is_none_or(|key| key == our_key) && created_at.is_none_or(|made| made >= accepted_at - SKEW)
}
