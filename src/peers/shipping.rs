//! ShippingService: takes parcels on, calls them back, tells where they are.

mod cancel;
mod create;
mod find;
mod status;

use serde_json::Value;
use time::OffsetDateTime;

pub use status::CarrierStatus;

use super::call::Peer;
use super::json;
use crate::domain::ids::OrderId;
use crate::domain::status::ShippingStatus;

/// What a reply may wrap a shipment in.
const WRAPPERS: [&str; 2] = ["shipment", "data"];

/// The client of ShippingService.
#[derive(Clone)]
pub struct Shipping {
    peer: Peer,
}

impl Shipping {
    pub(super) fn new(peer: Peer) -> Self {
        Self { peer }
    }
}

/// What to ship, and where to.
#[derive(Clone, Copy, Debug)]
pub struct ShipmentRequest<'a> {
    /// Which order is in it.
    pub order_id: OrderId,
    /// Who is to carry it.
    pub carrier: &'a str,
    /// Where it goes.
    pub address: Option<&'a str>,
}

/// A parcel that ShippingService has taken on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShipmentRecord {
    /// Shipping's number for it.
    pub shipment_id: String,
    /// Who carries it.
    pub carrier: Option<String>,
    /// The carrier's number.
    pub tracking_no: Option<String>,
    /// Where it is.
    pub status: CarrierStatus,
    /// The key that it was made under, where it says so.
    pub idempotency_key: Option<String>,
    /// When it was made, where it says so.
    pub created_at: Option<OffsetDateTime>,
}

impl ShipmentRecord {
    /// Whether it will arrive, or may.
    pub fn is_live(&self) -> bool {
        use ShippingStatus::{Cancelled, Failed, Returned};
        !matches!(
            self.status.shipping_status(),
            Some(Cancelled | Failed | Returned)
        )
    }

    /// Reads one out of the layers of a reply, or `None` when it has no id.
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
