//! Creates a shipment.

use serde::Serialize;

use super::{ShipmentRecord, ShipmentRequest, Shipping, WRAPPERS};
use crate::peers::call::{CallContext, operation};
use crate::peers::json;
use crate::peers::outcome::{CallFailure, CallOutcome, PeerRejection};
use crate::peers::response::PeerResponse;
use crate::peers::verification::SentFields;

#[derive(Serialize)]
struct CreateBody<'a> {
    order_id: i64,
    carrier: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<&'a str>,
    idempotency_key: &'a str,
}

impl Shipping {
    /// Creates a shipment.
    ///
    /// Some peers create a second shipment for a retry in spite of the idempotency key. Before a retry,
    /// look up the shipments of the order.
    pub async fn create(
        &self,
        context: CallContext<'_>,
        parcel: &ShipmentRequest<'_>,
    ) -> CallOutcome<ShipmentRecord> {
        let request = CreateBody {
            order_id: parcel.order_id.0,
            carrier: parcel.carrier,
            address: parcel.address,
            idempotency_key: context.idempotency_key,
        };
        let work = async {
            let path = ["v1", "shipments"];
            let response = self.peer.post(&context, &path, &request).await?;
            match response.status {
                200 | 201 => read(&response, parcel),
                // Without a message it may come from a proxy.
                400 | 409 | 422 if response.message().is_some() => {
                    Ok(CallOutcome::Rejected(response.rejection()))
                }
                _ => Err(response.failure()),
            }
        };
        self.peer
            .call(operation!(Forward, "shipping", "create"), &context, work)
            .await
    }
}

fn read(
    response: &PeerResponse,
    parcel: &ShipmentRequest<'_>,
) -> Result<CallOutcome<ShipmentRecord>, CallFailure> {
    let body = response.json()?;
    let layers = json::layers(&body, &WRAPPERS);
    if let Some(mismatch) = SentFields::order(parcel.order_id).mismatch_in(&layers) {
        return Ok(CallOutcome::Mismatched(mismatch));
    }
    let failed = layers.iter().any(|layer| {
        let status = json::status_word(layer, "status");
        json::success(layer) == Some(false)
            || status.is_some_and(|status| ["FAILED", "CANCELLED", "FALSE"].contains(&&*status))
    });
    if failed {
        let message = response.message();
        let reason = message.unwrap_or_else(|| "the shipment failed at once".to_owned());
        return Ok(CallOutcome::Rejected(PeerRejection::new(reason)));
    }
    match ShipmentRecord::read(&layers) {
        Some(shipment) => Ok(CallOutcome::Success(shipment)),
        None => Err(response.failure()),
    }
}
