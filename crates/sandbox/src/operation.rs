//! What the stand-ins can be asked to do, as named in faults and in the ledger.

use axum::http::StatusCode;
use serde::{Deserialize, Serialize};

/// One operation of a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Operation {
    /// Hold goods for an order.
    #[serde(rename = "inventory.reserve")]
    Reserve,
    /// Give held or shipped goods back.
    #[serde(rename = "inventory.release")]
    Release,
    /// Take held goods out of stock for good.
    #[serde(rename = "inventory.commit")]
    Commit,
    /// Take money.
    #[serde(rename = "payment.charge")]
    Charge,
    /// List every reservation.
    #[serde(rename = "inventory.list")]
    ListReservations,
    /// Give money back.
    #[serde(rename = "payment.refund")]
    Refund,
    /// List the charges of an order.
    #[serde(rename = "payment.lookup")]
    LookUp,
    /// List every charge.
    #[serde(rename = "payment.list")]
    ListCharges,
    /// Send a parcel.
    #[serde(rename = "shipping.create")]
    Create,
    /// Hold a parcel back.
    #[serde(rename = "shipping.cancel")]
    Cancel,
    /// Ask where parcels are.
    #[serde(rename = "shipping.follow")]
    Follow,
    /// List every parcel.
    #[serde(rename = "shipping.list")]
    ListShipments,
}

impl Operation {
    /// Every operation, in the order of a placement.
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

    /// The operation of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.name() == name)
    }

    /// The definite no that the contract has for it.
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

    /// Whether it can change the state, so that the state has to be saved after it.
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
