//! Errors of the use cases, sorted by what the caller can do about them.

use crate::db;
use crate::domain::ids::OrderId;

/// An error of a use case.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The order does not exist, or belongs to another customer.
    #[error("there is no order {0}")]
    NotFound(OrderId),
    /// The caller may not see the requested list.
    #[error("there is nothing here for this caller")]
    NothingHere,
    /// The caller's role does not allow the operation.
    #[error("{0}")]
    Forbidden(&'static str),
    /// The order's state does not allow the operation.
    #[error("{0}")]
    StateConflict(#[from] StateConflict),
    /// The order is not at a version that the caller expects.
    #[error("order {order_id} has changed: it is at version {version}")]
    VersionMismatch {
        /// The order.
        order_id: OrderId,
        /// Its current version.
        version: i32,
    },
    /// This process has reached its limit of listeners, or is stopping.
    #[error("this process accepts no further listeners")]
    TooManyListeners,
    /// The caller has reached its limit of listeners, which is this number.
    #[error("the caller has {0} listeners already")]
    TooManyListenersOfCaller(usize),
    /// The idempotency key was used for a different request.
    #[error("the idempotency key was used before, with another request")]
    KeyReused,
    /// The order changed during every attempt of the optimistic retry loop.
    #[error("the order is being changed by others")]
    Busy,
    /// The database is not available. The outcome of a write is unknown.
    #[error("the database is not available")]
    Unavailable(#[source] db::Error),
    /// The database refused a statement: a defect of this service.
    #[error("a statement was refused")]
    Database(#[source] db::Error),
    /// A task panicked: a defect of this service.
    #[error("a task ended without an answer")]
    Crashed(#[source] tokio::task::JoinError),
}

/// An operation that the order's current state does not allow, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StateConflict {
    /// The order can no longer be cancelled.
    #[error("order {order_id} cannot be cancelled: {why}")]
    NotCancellable {
        /// The order.
        order_id: OrderId,
        /// The reason, worded for the customer.
        why: &'static str,
    },
    /// The order is being cancelled, and cannot be completed.
    #[error("order {order_id} is being cancelled and cannot be completed; resolve it as cancelled")]
    AlreadyCancelling {
        /// The order.
        order_id: OrderId,
    },
    /// The order's saga is not stuck.
    #[error("order {order_id} does not wait for a decision by staff")]
    NotStuck {
        /// The order.
        order_id: OrderId,
    },
    /// The transition table does not lead from one status to the other.
    #[error("{field} of order {order_id} cannot go from {from} to {to}: {why}")]
    Transition {
        /// The order.
        order_id: OrderId,
        /// The name of the status field.
        field: &'static str,
        /// The current status.
        from: &'static str,
        /// The requested status.
        to: &'static str,
        /// The reason, or what to do instead.
        why: &'static str,
    },
}

impl From<db::Error> for Error {
    fn from(error: db::Error) -> Self {
        if error.is_transient() {
            Self::Unavailable(error)
        } else {
            Self::Database(error)
        }
    }
}
