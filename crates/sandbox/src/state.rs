//! The state of all stand-ins: one value behind one lock, saved to one file.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::inventory::Inventory;
use super::operation::Operation;
use super::payment::Payments;
use super::shipping::Parcels;

/// The state of all stand-ins.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct SandboxState {
    pub inventory: Inventory,
    pub payments: Payments,
    pub parcels: Parcels,
    pub calls: BTreeMap<Operation, u64>,
}

impl SandboxState {
    /// Full stock, and no calls yet.
    pub fn new() -> Self {
        Self {
            inventory: Inventory::new(),
            payments: Payments::default(),
            parcels: Parcels::default(),
            calls: BTreeMap::new(),
        }
    }

    /// Counts a call, successful or not.
    pub fn count(&mut self, operation: Operation) {
        let calls = self.calls.entry(operation).or_default();
        *calls = calls.saturating_add(1);
    }
}

/// Inputs of an operation besides its request.
#[derive(Debug, Clone, Copy)]
pub(super) struct CallContext {
    /// The current time of the sandbox.
    pub now: OffsetDateTime,
    /// A fault asks for a partial reservation.
    pub partial: bool,
    /// A fault asks to ignore the idempotency key and to execute the operation again.
    pub again: bool,
}
