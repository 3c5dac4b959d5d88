//! InventoryService: holds stock for an order, gives it back, hands it out.
//!
//! A reservation ends by itself after 15 minutes unless it is committed.

mod allocations;
mod commit;
mod list;
mod release;
mod reserve;

use time::OffsetDateTime;

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

/// What InventoryService holds, or held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReservationRecord {
    /// The number that it was made under.
    pub reservation_id: String,
    /// Whether the stock is set aside now.
    pub is_held: bool,
    /// When it was made, where it says so.
    pub created_at: Option<OffsetDateTime>,
}
