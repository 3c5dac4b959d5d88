//! The steps of an order's saga.

use std::fmt;

/// A step of the saga. Steps are executed in this order and compensated in reverse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// Inventory reserves the lines.
    ReserveStock,
    /// Payment charges the total.
    ChargePayment,
    /// Shipping accepts the parcel.
    CreateShipment,
    /// Inventory hands out the reserved lines.
    CommitStock,
}

impl Step {
    /// Every step, first to last.
    pub const ALL: [Self; 4] = [
        Self::ReserveStock,
        Self::ChargePayment,
        Self::CreateShipment,
        Self::CommitStock,
    ];

    /// The name in the database, in metrics and in the keys sent to peers.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ReserveStock => "reserve_stock",
            Self::ChargePayment => "charge_payment",
            Self::CreateShipment => "create_shipment",
            Self::CommitStock => "commit_stock",
        }
    }

    /// Parses a name; `None` when no step has it.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|step| step.as_str() == name)
    }

    /// The step after this one; `None` after the last.
    pub fn next(self) -> Option<Self> {
        match self {
            Self::ReserveStock => Some(Self::ChargePayment),
            Self::ChargePayment => Some(Self::CreateShipment),
            Self::CreateShipment => Some(Self::CommitStock),
            Self::CommitStock => None,
        }
    }

    /// The step before this one; `None` before the first.
    pub fn previous(self) -> Option<Self> {
        match self {
            Self::ReserveStock => None,
            Self::ChargePayment => Some(Self::ReserveStock),
            Self::CreateShipment => Some(Self::ChargePayment),
            Self::CommitStock => Some(Self::CreateShipment),
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
