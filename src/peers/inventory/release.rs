//! Giving stock back.

use serde::Serialize;

use super::Inventory;
use crate::domain::ids::OrderId;
use crate::peers::already::says_already;
use crate::peers::answer::{CallFailure, CallOutcome};
use crate::peers::call::{CallContext, operation};
use crate::peers::echo::Sent;
use crate::peers::json;
use crate::peers::reply::Reply;

#[derive(Serialize)]
struct Request<'a> {
    reservation_id: &'a str,
    order_id: i64,
}

impl Inventory {
    /// Gives back whatever is held under `reservation_id`; that nothing is held is a yes as well.
    ///
    /// There is no definite no: whatever else comes is unclear.
    pub async fn release(
        &self,
        tag: CallContext<'_>,
        reservation_id: &str,
        order_id: OrderId,
    ) -> CallOutcome<()> {
        let operation = operation!("inventory", "release");
        let request = Request {
            reservation_id,
            order_id: order_id.0,
        };
        let work = async {
            let path = ["v1", "inventory", "release"];
            let reply = self.peer.post(&tag, &path, &request).await?;
            match reply.status {
                204 | 404 | 410 => Ok(CallOutcome::Success(())),
                200 | 201 => read(&reply, order_id),
                400 | 409 | 422 if holds_nothing(&reply) => Ok(CallOutcome::Success(())),
                _ => Err(reply.trouble()),
            }
        };
        self.peer.call(operation, &tag, work).await
    }
}

fn read(reply: &Reply, order_id: OrderId) -> Result<CallOutcome<()>, CallFailure> {
    let body = reply.json_or_nothing()?;
    let layers = json::layers(&body, &["reservation", "data"]);
    if let Some(wrong) = Sent::order(order_id).differs_from(&layers) {
        return Ok(CallOutcome::Mismatched(wrong));
    }
    let failed = layers.iter().any(|layer| {
        let status = json::word(layer, "status");
        json::success(layer) == Some(false)
            || status.is_some_and(|status| ["FAILED", "FALSE", "ERROR"].contains(&status.as_str()))
    });
    if failed && !holds_nothing(reply) {
        return Err(reply.trouble());
    }
    Ok(CallOutcome::Success(()))
}

/// Whether a peer that will not release says that it is because nothing is held.
fn holds_nothing(reply: &Reply) -> bool {
    const NOTHING: [&str; 6] = [
        "not found",
        "unknown reservation",
        "no reservation",
        "no such reservation",
        "does not exist",
        "expired",
    ];
    reply.words().is_some_and(|words| {
        let said = words.to_lowercase();
        says_already(&words, &["released", "cancelled", "canceled"])
            || NOTHING.iter().any(|nothing| said.contains(nothing))
    })
}
