//! The Shipping stand-in. It creates parcels and advances their status.

use axum::Router;
use axum::routing::{get, patch, post};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::OffsetDateTime;

use super::hub::Hub;
use super::table::{Row, Table};

mod advance;
mod cancel;
mod create;
mod follow;

pub(super) use advance::{advance, run};

/// The routes under `/v1/shipments`.
pub(super) fn routes() -> Router<Hub> {
    Router::new()
        .route("/v1/shipments", post(create::create).get(follow::follow))
        .route("/v1/shipments/{id}", get(follow::follow_one))
        .route("/v1/shipments/{id}/status", patch(cancel::cancel))
}

/// The status of a parcel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ParcelStatus {
    /// Created.
    Pending,
    /// Ready for collection.
    Packed,
    /// Collected by the carrier.
    Shipped,
    /// In transit.
    InTransit,
    /// On the delivery vehicle.
    OutForDelivery,
    /// Delivered to the customer.
    Delivered,
    /// Cancelled before collection.
    Cancelled,
}

impl ParcelStatus {
    /// The next status; `None` if this one is final.
    pub fn next(self) -> Option<Self> {
        match self {
            Self::Pending => Some(Self::Packed),
            Self::Packed => Some(Self::Shipped),
            Self::Shipped => Some(Self::InTransit),
            Self::InTransit => Some(Self::OutForDelivery),
            Self::OutForDelivery => Some(Self::Delivered),
            Self::Delivered | Self::Cancelled => None,
        }
    }
}

/// A parcel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shipment {
    /// Id of the parcel.
    pub shipment_id: u64,
    /// The order in the parcel.
    pub order_id: i64,
    /// The carrier.
    pub carrier: String,
    /// Address as given by the request.
    pub address: Option<Value>,
    /// The current status.
    pub status: ParcelStatus,
    /// Tracking number of the carrier, such as `TRK100001`.
    pub tracking_no: String,
    /// The idempotency key.
    pub idempotency_key: String,
    /// Time of creation.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// Time of the last status change.
    #[serde(with = "time::serde::rfc3339")]
    pub updated_at: OffsetDateTime,
}

impl Row for Shipment {
    const FIRST_ID: u64 = 1;

    fn key(&self) -> &str {
        &self.idempotency_key
    }

    fn order_id(&self) -> Option<i64> {
        Some(self.order_id)
    }
}

/// All parcels.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Parcels(Table<Shipment>);

impl Parcels {
    /// The parcels of one order, or all of them; oldest first.
    pub fn shipments(&self, order: Option<i64>) -> Vec<&Shipment> {
        self.0.for_order(order)
    }
}
