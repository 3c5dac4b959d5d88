//! Calling a parcel back.

use serde::Serialize;

use super::{CarrierStatus, Shipping, WRAPPERS};
use crate::peers::already::says_already;
use crate::peers::answer::{CallFailure, CallOutcome, PeerRejection};
use crate::peers::call::{CallContext, operation};
use crate::peers::json;
use crate::peers::reply::Reply;

/// What a parcel that was called back says, or the envelope around it, or nobody at all.
const DONE: [&str; 7] = [
    "CANCELLED",
    "CANCELED",
    "SUCCESS",
    "UPDATED",
    "OK",
    "TRUE",
    "UNKNOWN",
];
/// Where a parcel is that was not called back, whatever the peer's 200 says.
const LEFT: [&str; 7] = [
    "PICKED_UP",
    "SHIPPED",
    "IN_TRANSIT",
    "OUT_FOR_DELIVERY",
    "DELIVERED",
    "RETURNED",
    "FALSE",
];

#[derive(Serialize)]
struct Request {
    status: &'static str,
}

impl Shipping {
    /// Calls a parcel back before it leaves; no means that it is under way.
    ///
    /// A peer that says that it is cancelled already says yes.
    pub async fn cancel(&self, tag: CallContext<'_>, shipment_id: &str) -> CallOutcome<()> {
        let request = Request {
            status: "CANCELLED",
        };
        let work = async {
            let path = ["v1", "shipments", shipment_id, "status"];
            let reply = self.peer.patch(&tag, &path, &request).await?;
            match reply.status {
                204 => Ok(CallOutcome::Success(())),
                200 | 201 => read(&reply),
                400 | 409 if is_cancelled(&reply) => Ok(CallOutcome::Success(())),
                400 | 409 => Ok(CallOutcome::Rejected(reply.refusal())),
                _ => Err(reply.trouble()),
            }
        };
        self.peer
            .call(operation!("shipping", "cancel"), &tag, work)
            .await
    }
}

fn read(reply: &Reply) -> Result<CallOutcome<()>, CallFailure> {
    let body = reply.json()?;
    let layers = json::layers(&body, &WRAPPERS);
    let status = CarrierStatus::read(&layers);
    let refused = layers
        .iter()
        .any(|layer| json::success(layer) == Some(false))
        || LEFT.contains(&status.as_str());
    if refused {
        let words = reply.words().unwrap_or_else(|| format!("status {status}"));
        return Ok(CallOutcome::Rejected(PeerRejection::new(words)));
    }
    if DONE.contains(&status.as_str()) {
        return Ok(CallOutcome::Success(()));
    }
    Err(CallFailure::new(format!(
        "answered 200 with status {status}"
    )))
}

fn is_cancelled(reply: &Reply) -> bool {
    reply
        .words()
        .is_some_and(|words| says_already(&words, &["cancelled", "canceled"]))
}
