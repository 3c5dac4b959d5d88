//! Lists reservations: an extension of the contract, which a peer may lack.

use serde_json::Value;
use time::OffsetDateTime;

use super::{Inventory, ReservationRecord};
use crate::peers::call::{CallContext, operation};
use crate::peers::json;
use crate::peers::outcome::{CallFailure, CallOutcome};
use crate::peers::pages::{self, ListingCursor, ListingPage};

/// The statuses of a reservation that reserves stock.
const HELD: [&str; 4] = ["HELD", "RESERVED", "ACTIVE", "PENDING"];

impl Inventory {
    /// A page of all reservations. Rejected if the peer does not list them.
    ///
    /// A reservation that expired before `now` reserves no stock.
    pub async fn list(
        &self,
        context: CallContext<'_>,
        cursor: &ListingCursor,
        now: OffsetDateTime,
    ) -> CallOutcome<ListingPage<ReservationRecord>> {
        let work = async {
            let path = ["v1", "inventory", "reservations"];
            let response = self.peer.get_page(&context, &path, cursor).await?;
            pages::read(&response, "reservations", cursor, |record| {
                read(record, now)
            })
        };
        self.peer
            .call(operation!(NoSaga, "inventory", "list"), &context, work)
            .await
    }
}

fn read(record: &Value, now: OffsetDateTime) -> Result<ReservationRecord, CallFailure> {
    let reservation_id = json::id(record, "reservation_id").or_else(|| json::id(record, "id"));
    let state = json::status_word(record, "state").or_else(|| json::status_word(record, "status"));
    let expires_at = record.get("expires_at").and_then(json::time);
    Ok(ReservationRecord {
        reservation_id: reservation_id
            .ok_or_else(|| CallFailure::new("answered a reservation without an id"))?,
        is_held: state.is_some_and(|state| HELD.contains(&state.as_str()))
            && expires_at.is_none_or(|end| end > now),
        created_at: record.get("created_at").and_then(json::time),
    })
}
