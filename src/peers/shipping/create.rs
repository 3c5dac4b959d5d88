//! Having a parcel shipped.

use serde::Serialize;

use super::{ShipmentRecord, ShipmentRequest, Shipping, WRAPPERS};
use crate::peers::answer::{CallFailure, CallOutcome, PeerRejection};
use crate::peers::call::{CallContext, operation};
use crate::peers::echo::Sent;
use crate::peers::json;
use crate::peers::reply::Reply;

#[derive(Serialize)]
struct Request<'a> {
    order_id: i64,
    carrier: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<&'a str>,
    idempotency_key: &'a str,
}

impl Shipping {
    /// Announces a parcel.
    ///
    /// Some peers make a second shipment when asked twice, whatever the key: after an unclear
    /// answer, look the order up before asking again.
    pub async fn create(
        &self,
        tag: CallContext<'_>,
        parcel: &ShipmentRequest<'_>,
    ) -> CallOutcome<ShipmentRecord> {
        let request = Request {
            order_id: parcel.order_id.0,
            carrier: parcel.carrier,
            address: parcel.address,
            idempotency_key: tag.idempotency_key,
        };
        let work = async {
            let path = ["v1", "shipments"];
            let reply = self.peer.post(&tag, &path, &request).await?;
            match reply.status {
                200 | 201 => read(&reply, parcel),
                // Without words it may be a proxy's.
                400 | 409 | 422 if reply.words().is_some() => {
                    Ok(CallOutcome::Rejected(reply.refusal()))
                }
                _ => Err(reply.trouble()),
            }
        };
        self.peer
            .call(operation!("shipping", "create"), &tag, work)
            .await
    }
}

fn read(
    reply: &Reply,
    parcel: &ShipmentRequest<'_>,
) -> Result<CallOutcome<ShipmentRecord>, CallFailure> {
    let body = reply.json()?;
    let layers = json::layers(&body, &WRAPPERS);
    if let Some(wrong) = Sent::order(parcel.order_id).differs_from(&layers) {
        return Ok(CallOutcome::Mismatched(wrong));
    }
    let failed = layers.iter().any(|layer| {
        let status = json::word(layer, "status");
        json::success(layer) == Some(false)
            || status.is_some_and(|status| ["FAILED", "CANCELLED", "FALSE"].contains(&&*status))
    });
    if failed {
        let words = reply.words();
        let reason = words.unwrap_or_else(|| "the shipment failed at once".to_owned());
        return Ok(CallOutcome::Rejected(PeerRejection::new(reason)));
    }
    match ShipmentRecord::read(&layers) {
        Some(shipment) => Ok(CallOutcome::Success(shipment)),
        None => Err(reply.trouble()),
    }
}
