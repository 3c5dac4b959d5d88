//! Cancels a shipment: the compensation of creating it.

use serde::Serialize;

use super::{CarrierStatus, Shipping, WRAPPERS};
use crate::peers::already::says_already;
use crate::peers::call::{CallContext, operation};
use crate::peers::json;
use crate::peers::outcome::{CallFailure, CallOutcome, PeerRejection};
use crate::peers::response::PeerResponse;

/// The statuses of a cancelled shipment or of an envelope, and `UNKNOWN` for a response without one.
const CANCELLED: [&str; 7] = [
    "CANCELLED",
    "CANCELED",
    "SUCCESS",
    "UPDATED",
    "OK",
    "TRUE",
    "UNKNOWN",
];
/// The statuses of a parcel that has left, so that the cancellation failed despite the 200.
const DEPARTED: [&str; 7] = [
    "PICKED_UP",
    "SHIPPED",
    "IN_TRANSIT",
    "OUT_FOR_DELIVERY",
    "DELIVERED",
    "RETURNED",
    "FALSE",
];

#[derive(Serialize)]
struct CancelBody {
    status: &'static str,
}

impl Shipping {
    /// Cancels a shipment before the parcel leaves. Rejected if the parcel is under way.
    ///
    /// Succeeds too if the shipment is cancelled already.
    pub async fn cancel(&self, context: CallContext<'_>, shipment_id: &str) -> CallOutcome<()> {
        let request = CancelBody {
            status: "CANCELLED",
        };
        let work = async {
            let path = ["v1", "shipments", shipment_id, "status"];
            let response = self.peer.patch(&context, &path, &request).await?;
            match response.status {
                204 => Ok(CallOutcome::Success(())),
                200 | 201 => read(&response),
                400 | 409 if is_cancelled(&response) => Ok(CallOutcome::Success(())),
                400 | 409 => Ok(CallOutcome::Rejected(response.rejection())),
                _ => Err(response.failure()),
            }
        };
        self.peer
            .call(
                operation!(Compensation, "shipping", "cancel"),
                &context,
                work,
            )
            .await
    }
}

fn read(response: &PeerResponse) -> Result<CallOutcome<()>, CallFailure> {
    let body = response.json()?;
    let layers = json::layers(&body, &WRAPPERS);
    let status = CarrierStatus::read(&layers);
    let refused = layers
        .iter()
        .any(|layer| json::success(layer) == Some(false))
        || DEPARTED.contains(&status.as_str());
    if refused {
        let message = response.message();
        let reason = message.unwrap_or_else(|| format!("status {status}"));
        return Ok(CallOutcome::Rejected(PeerRejection::new(reason)));
    }
    if CANCELLED.contains(&status.as_str()) {
        return Ok(CallOutcome::Success(()));
    }
    Err(CallFailure::new(format!(
        "answered 200 with status {status}"
    )))
}

fn is_cancelled(response: &PeerResponse) -> bool {
    response
        .message()
        .is_some_and(|message| says_already(&message, &["cancelled", "canceled"]))
}
