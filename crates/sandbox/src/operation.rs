//! The operations of the peers, as named in faults and in the ledger.

use axum::http::StatusCode;
use serde::{Deserialize, Serialize};

/// One operation of a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Operation {
    /// Reserve stock for an order.
    #[serde(rename = "inventory.reserve")]
    Reserve,
    /// Release reserved or shipped stock.
    #[serde(rename = "inventory.release")]
    Release,
    /// Commit a reservation: its stock is shipped.
    #[serde(rename = "inventory.commit")]
    Commit,
    /// Charge money.
    #[serde(rename = "payment.charge")]
    Charge,
    /// List all reservations.
    #[serde(rename = "inventory.list")]
    ListReservations,
    /// Refund money.
    #[serde(rename = "payment.refund")]
    Refund,
    /// List the charges of an order.
    #[serde(rename = "payment.lookup")]
    LookUp,
    /// List all charges.
    #[serde(rename = "payment.list")]
    ListCharges,
    /// Create a parcel.
    #[serde(rename = "shipping.create")]
    Create,
    /// Cancel a parcel.
    #[serde(rename = "shipping.cancel")]
    Cancel,
    /// Read the status of parcels.
    #[serde(rename = "shipping.follow")]
    Follow,
    /// List all parcels.
    #[serde(rename = "shipping.list")]
    ListShipments,
}

impl Operation {
    /// All operations, in the order of a placement.
    pub const ALL: [Self; 12] = [
        Self::Reserve,
        Self::Release,
        Self::Commit,
        Self::Charge,
        Self::Refund,
        Self::LookUp,
        Self::Create,
        Self::Cancel,
        Self::Follow,
        Self::ListReservations,
        Self::ListCharges,
        Self::ListShipments,
    ];

    /// The name on the wire, such as `payment.charge`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Reserve => "inventory.reserve",
            Self::Release => "inventory.release",
            Self::Commit => "inventory.commit",
            Self::Charge => "payment.charge",
            Self::Refund => "payment.refund",
            Self::LookUp => "payment.lookup",
            Self::Create => "shipping.create",
            Self::Cancel => "shipping.cancel",
            Self::Follow => "shipping.follow",
            Self::ListReservations => "inventory.list",
            Self::ListCharges => "payment.list",
            Self::ListShipments => "shipping.list",
        }
    }

    /// The operation with this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.name() == name)
    }

    /// The status of a definite refusal, by the contract of the operation.
    pub(super) fn refusal(self) -> StatusCode {
        match self {
            Self::Commit => StatusCode::BAD_REQUEST,
            Self::Charge => StatusCode::PAYMENT_REQUIRED,
            Self::Refund
            | Self::LookUp
            | Self::Follow
            | Self::ListReservations
            | Self::ListCharges
            | Self::ListShipments => StatusCode::NOT_FOUND,
            Self::Reserve | Self::Release | Self::Create | Self::Cancel => StatusCode::CONFLICT,
        }
    }

    /// Whether the operation can change the state, which then has to be saved.
    pub(super) fn writes(self) -> bool {
        !matches!(
            self,
            Self::LookUp
                | Self::Follow
                | Self::ListReservations
                | Self::ListCharges
                | Self::ListShipments
        )
    }
}
