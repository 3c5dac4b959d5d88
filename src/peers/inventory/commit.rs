//! Commits a reservation: its stock leaves the warehouse.

use serde::Serialize;

use super::{Inventory, WRAPPERS};
use crate::domain::ids::OrderId;
use crate::peers::already::says_already;
use crate::peers::call::{CallContext, operation};
use crate::peers::json;
use crate::peers::outcome::{CallFailure, CallOutcome, PeerRejection};
use crate::peers::response::PeerResponse;
use crate::peers::verification::SentFields;

/// The statuses of a committed reservation.
const COMMITTED: [&str; 6] = ["SHIPPED", "COMMITTED", "SUCCESS", "COMPLETED", "OK", "TRUE"];

#[derive(Serialize)]
struct CommitBody<'a> {
    order_id: i64,
    reservation_id: &'a str,
}

impl Inventory {
    /// Commits the reservation `reservation_id`.
    ///
    /// `repeat` tells that an earlier attempt may have arrived. A 404, or a rejection because the stock
    /// is shipped already, then counts as success.
    pub async fn commit(
        &self,
        context: CallContext<'_>,
        reservation_id: &str,
        order_id: OrderId,
        repeat: bool,
    ) -> CallOutcome<()> {
        let operation = operation!(Forward, "inventory", "commit");
        let request = CommitBody {
            order_id: order_id.0,
            reservation_id,
        };
        let work = async {
            let path = ["v1", "inventory", "ship"];
            let response = self.peer.post(&context, &path, &request).await?;
            match response.status {
                200 | 201 => read(&response, order_id, repeat),
                404 if repeat => Ok(CallOutcome::Success(())),
                400 | 409 if repeat && was_done(&response) => Ok(CallOutcome::Success(())),
                // An HTML page comes from a proxy or a framework: the request may not have reached Inventory.
                400 | 404 if !response.is_html() => Ok(CallOutcome::Rejected(response.rejection())),
                _ => Err(response.failure()),
            }
        };
        self.peer.call(operation, &context, work).await
    }
}

fn read(
    response: &PeerResponse,
    order_id: OrderId,
    repeat: bool,
) -> Result<CallOutcome<()>, CallFailure> {
    let body = response.json()?;
    let layers = json::layers(&body, &WRAPPERS);
    if let Some(mismatch) = SentFields::order(order_id).mismatch_in(&layers) {
        return Ok(CallOutcome::Mismatched(mismatch));
    }
    let success = layers.iter().find_map(|layer| json::success(layer));
    let status = layers
        .iter()
        .find_map(|layer| json::status_word(layer, "status"));
    let shipped = layers
        .iter()
        .find_map(|layer| json::count(layer.get("shipped_items")?));
    let status = status.as_deref();
    let failed = success == Some(false) || matches!(status, Some("FAILED" | "FALSE" | "ERROR"));
    let done = match (success, status) {
        // Neither committed nor rejected: a retry may commit the rest.
        (_, Some("PARTIAL")) => false,
        (None, None) => shipped.is_some_and(|lines| lines > 0),
        (None, Some(status)) => COMMITTED.contains(&status),
        (Some(success), _) => success,
    };
    match (done, failed) {
        (true, false) => Ok(CallOutcome::Success(())),
        (false, true) if repeat && was_done(response) => Ok(CallOutcome::Success(())),
        (false, true) => {
            let message = response.message();
            let reason = message.unwrap_or_else(|| "not shipped".to_owned());
            Ok(CallOutcome::Rejected(PeerRejection::new(reason)))
        }
        _ => Err(response.failure()),
    }
}

fn was_done(response: &PeerResponse) -> bool {
    response
        .message()
        .is_some_and(|message| says_already(&message, &["shipped", "committed", "fulfilled"]))
}
