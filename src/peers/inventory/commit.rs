//! Handing stock out.

use serde::Serialize;

use super::Inventory;
use crate::domain::ids::OrderId;
use crate::peers::already::says_already;
use crate::peers::answer::{CallFailure, CallOutcome, PeerRejection};
use crate::peers::call::{CallContext, operation};
use crate::peers::echo::Sent;
use crate::peers::json;
use crate::peers::reply::Reply;

/// Statuses of a reservation that was handed out.
const SHIPPED: [&str; 6] = ["SHIPPED", "COMMITTED", "SUCCESS", "COMPLETED", "OK", "TRUE"];

#[derive(Serialize)]
struct Request<'a> {
    order_id: i64,
    reservation_id: &'a str,
}

impl Inventory {
    /// Hands out what is held under `reservation_id`.
    ///
    /// `repeat`: the call may have been sent before, so that a 404, or a no because it is shipped
    /// already, means that it was done then.
    pub async fn commit(
        &self,
        tag: CallContext<'_>,
        reservation_id: &str,
        order_id: OrderId,
        repeat: bool,
    ) -> CallOutcome<()> {
        let operation = operation!("inventory", "commit");
        let request = Request {
            order_id: order_id.0,
            reservation_id,
        };
        let work = async {
            let path = ["v1", "inventory", "ship"];
            let reply = self.peer.post(&tag, &path, &request).await?;
            match reply.status {
                200 | 201 => read(&reply, order_id, repeat),
                404 if repeat => Ok(CallOutcome::Success(())),
                400 | 409 if repeat && was_done(&reply) => Ok(CallOutcome::Success(())),
                400 | 404 => Ok(CallOutcome::Rejected(reply.refusal())),
                _ => Err(reply.trouble()),
            }
        };
        self.peer.call(operation, &tag, work).await
    }
}

fn read(reply: &Reply, order_id: OrderId, repeat: bool) -> Result<CallOutcome<()>, CallFailure> {
    let body = reply.json()?;
    let layers = json::layers(&body, &["reservation", "data"]);
    if let Some(wrong) = Sent::order(order_id).differs_from(&layers) {
        return Ok(CallOutcome::Mismatched(wrong));
    }
    let success = layers.iter().find_map(|layer| json::success(layer));
    let status = layers.iter().find_map(|layer| json::word(layer, "status"));
    let shipped = layers
        .iter()
        .find_map(|layer| json::count(layer.get("shipped_items")?));
    let status = status.as_deref();
    let failed = success == Some(false) || matches!(status, Some("FAILED" | "FALSE" | "ERROR"));
    let done = match (success, status) {
        // Neither done nor refused: what is left may follow when it is asked again.
        (_, Some("PARTIAL")) => false,
        (None, None) => shipped.is_some_and(|lines| lines > 0),
        (None, Some(status)) => SHIPPED.contains(&status),
        (Some(success), _) => success,
    };
    match (done, failed) {
        (true, false) => Ok(CallOutcome::Success(())),
        (false, true) if repeat && was_done(reply) => Ok(CallOutcome::Success(())),
        (false, true) => {
            let words = reply.words().unwrap_or_else(|| "not shipped".to_owned());
            Ok(CallOutcome::Rejected(PeerRejection::new(words)))
        }
        _ => Err(reply.trouble()),
    }
}

fn was_done(reply: &Reply) -> bool {
    reply
        .words()
        .is_some_and(|words| says_already(&words, &["shipped", "committed", "fulfilled"]))
}
