//! Everything the stand-ins hold: one value, behind one lock, saved as one file.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::inventory::Inventory;
use super::operation::Operation;
use super::payment::Payments;
use super::shipping::Parcels;

/// The state of all peers.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct SandboxState {
    pub inventory: Inventory,
    pub payments: Payments,
    pub parcels: Parcels,
    pub calls: BTreeMap<Operation, u64>,
}

impl SandboxState {
    /// A full stock and nothing done yet.
    pub fn new() -> Self {
        Self {
            inventory: Inventory::new(),
            payments: Payments::default(),
            parcels: Parcels::default(),
            calls: BTreeMap::new(),
        }
    }

    /// Count a call, whatever becomes of it.
    pub fn count(&mut self, operation: Operation) {
        let calls = self.calls.entry(operation).or_default();
        *calls = calls.saturating_add(1);
    }
}

/// What an operation has to know beside its request.
#[derive(Debug, Clone, Copy)]
pub(super) struct CallContext {
    /// The stand-ins' time.
    pub now: OffsetDateTime,
    /// A fault wants this reservation to hold its first line only.
    pub partial: bool,
    /// A fault wants this done, whatever was done under the same key before.
    pub again: bool,
}
