//! InventoryService: reserves stock for an order, releases it, commits it.
//!
//! A reservation expires after 15 minutes unless it is committed.

mod allocations;
mod commit;
mod list;
mod release;
mod reserve;

use time::OffsetDateTime;

use super::call::PeerClient;

/// What a response may wrap a reservation in.
const WRAPPERS: [&str; 2] = ["reservation", "data"];

/// The client of InventoryService.
#[derive(Clone)]
pub struct Inventory {
    peer: PeerClient,
}

impl Inventory {
    pub(super) fn new(peer: PeerClient) -> Self {
        Self { peer }
    }
}

/// A reservation as InventoryService lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReservationRecord {
    /// The id under which it was made.
    pub reservation_id: String,
    /// Whether it reserves stock now.
    pub is_held: bool,
    /// When it was made, if the record says so.
    pub created_at: Option<OffsetDateTime>,
}
