//! Why a use case did not do what was asked, sorted by what the caller can do about it.

use crate::db;
use crate::domain::ids::OrderId;

/// Why a use case did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such order, or it is somebody else's.
    #[error("there is no order {0}")]
    NotFound(OrderId),
    /// Nothing of the caller's may be found here.
    #[error("there is nothing here for this caller")]
    NothingHere,
    /// The caller may not do this at all.
    #[error("{0}")]
    Forbidden(&'static str),
    /// Not as the order now stands.
    #[error("{0}")]
    NotNow(Refusal),
    /// The order is not at the version that the caller expects.
    #[error("order {order_id} has changed: it is at version {version}")]
    Changed {
        /// Which order.
        order_id: OrderId,
        /// Its version now.
        version: i32,
    },
    /// This process has as many listeners as it takes, or is about to stop.
    #[error("there is no place for another listener in this process")]
    NoSeat,
    /// The caller has as many listeners as it may have.
    #[error("there are {0} listeners of this caller already")]
    TooManySeats(usize),
    /// The idempotency key was used for something else.
    #[error("the idempotency key was used before, with another request")]
    KeyReused,
    /// The order keeps changing under our hands.
    #[error("the order is being changed by others")]
    Busy,
    /// The database is away. Nothing is known about a write that was under way.
    #[error("the database is not available")]
    Unavailable(#[source] db::Error),
    /// A fault of ours.
    #[error("a statement was refused")]
    Database(#[source] db::Error),
    /// A fault of ours.
    #[error("a task ended without an answer")]
    Crashed(#[source] tokio::task::JoinError),
}

/// What cannot be done as the order now stands, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It cannot be called off any more.
    #[error("order {order_id} cannot be cancelled: {why}")]
    Cancel {
        /// Which order.
        order_id: OrderId,
        /// Why, in the customer's words.
        why: &'static str,
    },
    /// It is being called off, and nothing leads back from there.
    #[error("order {order_id} is being called off and cannot stand again; resolve it as cancelled")]
    Standing {
        /// Which order.
        order_id: OrderId,
    },
    /// It waits for nobody's decision.
    #[error("order {order_id} does not wait for a person's decision")]
    Decision {
        /// Which order.
        order_id: OrderId,
    },
    /// The statuses do not lead there.
    #[error("{field} of order {order_id} cannot go from {from} to {to}: {why}")]
    Transition {
        /// Which order.
        order_id: OrderId,
        /// Which status.
        field: &'static str,
        /// Where it stands.
        from: &'static str,
        /// Where it was to go.
        to: &'static str,
        /// What to do instead.
        why: &'static str,
    },
}

impl From<db::Error> for Error {
    fn from(error: db::Error) -> Self {
        if error.passes() {
            Self::Unavailable(error)
        } else {
            Self::Database(error)
        }
    }
}
