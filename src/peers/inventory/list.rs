//! Asking what is held: an extension of the contract that a peer may have.

use serde_json::Value;
use time::OffsetDateTime;

use super::{Inventory, ReservationRecord};
use crate::peers::answer::{CallFailure, CallOutcome};
use crate::peers::call::{CallContext, operation};
use crate::peers::{ListingCursor, ListingPage, json, pages};

/// What is said of stock that is set aside.
const HELD: [&str; 4] = ["HELD", "RESERVED", "ACTIVE", "PENDING"];

impl Inventory {
    /// A page of all reservations, where the peer lists them; no means that it does not.
    ///
    /// One whose time was over at `now` is not held.
    pub async fn list(
        &self,
        tag: CallContext<'_>,
        at: &ListingCursor,
        now: OffsetDateTime,
    ) -> CallOutcome<ListingPage<ReservationRecord>> {
        let work = async {
            let path = ["v1", "inventory", "reservations"];
            let reply = self.peer.get_page(&tag, &path, at).await?;
            pages::read(&reply, "reservations", at, |record| read(record, now))
        };
        self.peer
            .call(operation!("inventory", "list"), &tag, work)
            .await
    }
}

fn read(record: &Value, now: OffsetDateTime) -> Result<ReservationRecord, CallFailure> {
    let reservation_id = json::id(record, "reservation_id").or_else(|| json::id(record, "id"));
    let state = json::word(record, "state").or_else(|| json::word(record, "status"));
    let expires_at = record.get("expires_at").and_then(json::time);
    Ok(ReservationRecord {
        reservation_id: reservation_id
            .ok_or_else(|| CallFailure::new("answered a reservation without an id"))?,
        is_held: state.is_some_and(|state| HELD.contains(&state.as_str()))
            && expires_at.is_none_or(|end| end > now),
        created_at: record.get("created_at").and_then(json::time),
    })
}
