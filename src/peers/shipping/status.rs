//! The carrier's status of a parcel.

use std::fmt;

use serde_json::Value;

use crate::domain::status::ShippingStatus;
use crate::peers::json;

/// The carrier's status word, in capitals.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CarrierStatus(String);

impl CarrierStatus {
    /// The innermost status of a response, which is the parcel's own.
    pub(super) fn read(layers: &[&Value]) -> Self {
        let word = layers
            .iter()
            .rev()
            .find_map(|layer| json::status_word(layer, "status"));
        Self(word.unwrap_or_else(|| "UNKNOWN".to_owned()))
    }

    /// The carrier's word; `UNKNOWN` if it gave none.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Our status for it; `None` if the carrier's word is unknown.
    pub fn shipping_status(&self) -> Option<ShippingStatus> {
        ShippingStatus::from_carrier(&self.0)
    }
}

impl fmt::Display for CarrierStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
