//! InventoryService: holds stock for an order, gives it back, hands it out.
//!
//! A reservation ends by itself after 15 minutes unless it is committed.

mod allocations;
mod commit;
mod release;
mod reserve;

use super::call::Peer;

/// The client of InventoryService.
#[derive(Clone)]
pub struct Inventory {
    peer: Peer,
}

impl Inventory {
    pub(super) fn new(peer: Peer) -> Self {
        Self { peer }
    }
}
