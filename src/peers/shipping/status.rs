//! Where a carrier says that a parcel is.

use std::fmt;

use serde_json::Value;

use crate::domain::status::ShippingStatus;
use crate::peers::json;

/// The carrier's word, in capitals.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CarrierStatus(String);

impl CarrierStatus {
    /// The innermost status of a reply, which is the parcel's own.
    pub(super) fn read(layers: &[&Value]) -> Self {
        let word = layers
            .iter()
            .rev()
            .find_map(|layer| json::word(layer, "status"));
        Self(word.unwrap_or_else(|| "UNKNOWN".to_owned()))
    }

    /// The carrier's word; `UNKNOWN` where it gave none.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Our word for it, or `None` when the carrier's is not known.
    pub fn shipping_status(&self) -> Option<ShippingStatus> {
        Some(match self.0.as_str() {
            "PENDING" | "PACKED" => ShippingStatus::Pending,
            "PICKED_UP" | "SHIPPED" | "IN_TRANSIT" | "OUT_FOR_DELIVERY" => ShippingStatus::Shipped,
            "DELIVERED" => ShippingStatus::Delivered,
            "FAILED" => ShippingStatus::Failed,
            "CANCELLED" => ShippingStatus::Cancelled,
            "RETURNED" => ShippingStatus::Returned,
            _ => return None,
        })
    }
}

impl fmt::Display for CarrierStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
