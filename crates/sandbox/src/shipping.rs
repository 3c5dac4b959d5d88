//! The Shipping stand-in: it sends parcels and moves them along.

use axum::Router;
use axum::routing::{get, patch, post};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::OffsetDateTime;

use super::hub::Hub;
use super::table::{Table, Row};

mod advance;
mod cancel;
mod create;
mod follow;

pub(super) use advance::{advance, run};

/// `/v1/shipments…`.
pub(super) fn routes() -> Router<Hub> {
    Router::new()
        .route("/v1/shipments", post(create::create).get(follow::follow))
        .route("/v1/shipments/{id}", get(follow::follow_one))
        .route("/v1/shipments/{id}/status", patch(cancel::cancel))
}

/// Where a parcel is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ParcelStatus {
    /// Ordered.
    Pending,
    /// Ready to be fetched.
    Packed,
    /// Fetched.
    Shipped,
    /// Between places.
    InTransit,
    /// On the last van.
    OutForDelivery,
    /// With the customer.
    Delivered,
    /// Held back before it was fetched.
    Cancelled,
}

impl ParcelStatus {
    /// Where it is after this, unless it stays.
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
    /// Its number.
    pub shipment_id: u64,
    /// The order in it.
    pub order_id: i64,
    /// Who carries it.
    pub carrier: String,
    /// Where it goes, as it was given.
    pub address: Option<Value>,
    /// Where it is.
    pub status: ParcelStatus,
    /// The carrier's name for it, such as `TRK100001`.
    pub tracking_no: String,
    /// The key it was asked for with.
    pub idempotency_key: String,
    /// When it was ordered.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// When it got its status.
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
    /// The parcels of an order, or all; oldest first.
    pub fn shipments(&self, order: Option<i64>) -> Vec<&Shipment> {
        self.0.for_order(order)
    }
}
