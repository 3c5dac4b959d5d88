//! Conditional writes: the versions at which a caller expects an order.

use crate::domain::order::Order;

use super::Error;

/// The versions at which a write may change an order. The write's statement names the version that was
/// checked (optimistic concurrency), so that no change comes in between.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expected {
    /// Any version.
    Any,
    /// One of these versions.
    OneOf(Vec<i32>),
}

impl Expected {
    /// [`Error::VersionMismatch`] unless the order is at an expected version.
    pub(super) fn check(&self, order: &Order) -> Result<(), Error> {
        match self {
            Self::OneOf(versions) if !versions.contains(&order.version) => {
                Err(Error::VersionMismatch {
                    order_id: order.order_id,
                    version: order.version,
                })
            }
            _ => Ok(()),
        }
    }
}
