//! ShippingService: creates shipments, cancels them, reports their status.

mod cancel;
mod create;
mod find;
mod status;

use serde_json::Value;
use time::OffsetDateTime;

pub use status::CarrierStatus;

use super::call::PeerClient;
use super::json;
use crate::domain::ids::OrderId;
use crate::domain::status::ShippingStatus;

/// What a response may wrap a shipment in.
const WRAPPERS: [&str; 2] = ["shipment", "data"];

/// The client of ShippingService.
#[derive(Clone)]
pub struct Shipping {
    peer: PeerClient,
}

impl Shipping {
    pub(super) fn new(peer: PeerClient) -> Self {
        Self { peer }
    }
}

/// A shipment to create.
#[derive(Clone, Copy, Debug)]
pub struct ShipmentRequest<'a> {
    /// The order to ship.
    pub order_id: OrderId,
    /// The carrier.
    pub carrier: &'a str,
    /// The address to deliver to.
    pub address: Option<&'a str>,
}

/// A shipment as ShippingService reports it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShipmentRecord {
    /// The shipment id.
    pub shipment_id: String,
    /// The carrier.
    pub carrier: Option<String>,
    /// The carrier's tracking number.
    pub tracking_no: Option<String>,
    /// The carrier's status of the parcel.
    pub status: CarrierStatus,
    /// The idempotency key of its creation, if the record says so.
    pub idempotency_key: Option<String>,
    /// When it was created, if the record says so.
    pub created_at: Option<OffsetDateTime>,
}

impl ShipmentRecord {
    /// Whether it is not cancelled, failed or returned, so that the parcel may still arrive.
    pub fn is_live(&self) -> bool {
        use ShippingStatus::{Cancelled, Failed, Returned};
        !matches!(
            self.status.shipping_status(),
            Some(Cancelled | Failed | Returned)
        )
    }

    /// Reads a shipment from the layers of a response; `None` if it has no id.
    fn read(layers: &[&Value]) -> Option<Self> {
        let line = |key| layers.iter().rev().find_map(|layer| json::line(layer, key));
        Some(Self {
            shipment_id: layers
                .iter()
                .find_map(|layer| json::id(layer, "shipment_id"))?,
            carrier: line("carrier"),
            tracking_no: line("tracking_no"),
            status: CarrierStatus::read(layers),
            idempotency_key: line("idempotency_key"),
            created_at: layers
                .iter()
                .rev()
                .find_map(|layer| json::time(layer.get("created_at")?)),
        })
    }
}
