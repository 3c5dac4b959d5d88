//! Releases a reservation: the compensation of reserving stock.

use serde::Serialize;

use super::{Inventory, WRAPPERS};
use crate::domain::ids::OrderId;
use crate::peers::already::says_already;
use crate::peers::call::{CallContext, operation};
use crate::peers::json;
use crate::peers::outcome::{CallFailure, CallOutcome};
use crate::peers::response::PeerResponse;
use crate::peers::verification::SentFields;

#[derive(Serialize)]
struct ReleaseBody<'a> {
    reservation_id: &'a str,
    order_id: i64,
}

impl Inventory {
    /// Releases the stock of `reservation_id`. Succeeds too if nothing is reserved.
    ///
    /// A release is never rejected: every other response is retryable.
    pub async fn release(
        &self,
        context: CallContext<'_>,
        reservation_id: &str,
        order_id: OrderId,
    ) -> CallOutcome<()> {
        let operation = operation!(Compensation, "inventory", "release");
        let request = ReleaseBody {
            reservation_id,
            order_id: order_id.0,
        };
        let work = async {
            let path = ["v1", "inventory", "release"];
            let response = self.peer.post(&context, &path, &request).await?;
            match response.status {
                204 | 404 | 410 => Ok(CallOutcome::Success(())),
                200 | 201 => read(&response, order_id),
                400 | 409 | 422 if nothing_is_reserved(&response) => Ok(CallOutcome::Success(())),
                _ => Err(response.failure()),
            }
        };
        self.peer.call(operation, &context, work).await
    }
}

fn read(response: &PeerResponse, order_id: OrderId) -> Result<CallOutcome<()>, CallFailure> {
    let body = response.json_or_nothing()?;
    let layers = json::layers(&body, &WRAPPERS);
    if let Some(mismatch) = SentFields::order(order_id).mismatch_in(&layers) {
        return Ok(CallOutcome::Mismatched(mismatch));
    }
    let failed = layers.iter().any(|layer| {
        let status = json::status_word(layer, "status");
        json::success(layer) == Some(false)
            || status.is_some_and(|status| ["FAILED", "FALSE", "ERROR"].contains(&status.as_str()))
    });
    if failed && !nothing_is_reserved(response) {
        return Err(response.failure());
    }
    Ok(CallOutcome::Success(()))
}

/// Whether the peer rejects the release because nothing is reserved.
fn nothing_is_reserved(response: &PeerResponse) -> bool {
    const NOT_RESERVED: [&str; 6] = [
        "not found",
        "unknown reservation",
        "no reservation",
        "no such reservation",
        "does not exist",
        "expired",
    ];
    response.message().is_some_and(|message| {
        let lower = message.to_lowercase();
        says_already(&message, &["released", "cancelled", "canceled"])
            || NOT_RESERVED.iter().any(|phrase| lower.contains(phrase))
    })
}
