//! The version at which a caller expects an order, so that a write never overwrites what it has not seen.

use crate::domain::order::Order;

use super::Error;

/// At which versions an order may be for a write to go ahead. Compared with the order that the write then
/// names by its version, in the statement itself: nothing comes in between.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expected {
    /// At any.
    Any,
    /// At one of these.
    OneOf(Vec<i32>),
}

impl Expected {
    /// An error that names the order's version, unless it is an expected one.
    pub(super) fn check(&self, order: &Order) -> Result<(), Error> {
        match self {
            Self::OneOf(versions) if !versions.contains(&order.version) => Err(Error::Changed {
                order_id: order.order_id,
                version: order.version,
            }),
            _ => Ok(()),
        }
    }
}
