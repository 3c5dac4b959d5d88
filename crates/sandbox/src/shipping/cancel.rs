//! Cancels a parcel that the carrier has not collected.

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;

use super::{ParcelStatus, Parcels};
use crate::hub::Hub;
use crate::incoming::{Incoming, PathId};
use crate::operation::Operation;
use crate::reply::{Answer, Refusal, Reply};
use crate::state::CallContext;

/// `PATCH /v1/shipments/{shipment_id}/status`
pub(super) async fn cancel(
    State(hub): State<Hub>,
    PathId(id): PathId,
    incoming: Incoming,
) -> Response {
    hub.serve(
        Operation::Cancel,
        incoming,
        move |state, incoming, context| {
            let request: CancelRequest = incoming.read()?;
            if !request.status.eq_ignore_ascii_case("CANCELLED") {
                return Err(Refusal::invalid(
                    "the only status that can be set is CANCELLED",
                ));
            }
            let id = id.ok_or_else(|| Refusal::missing("there is no such shipment"))?;
            state.parcels.cancel(id, context)
        },
    )
    .await
}

#[derive(Deserialize)]
struct CancelRequest {
    status: String,
}

impl Parcels {
    fn cancel(&mut self, id: u64, context: &CallContext) -> Reply {
        let parcel = self
            .0
            .by_id_mut(id)
            .ok_or_else(|| Refusal::missing("there is no such shipment"))?;
        match parcel.status {
            ParcelStatus::Pending | ParcelStatus::Packed => {
                parcel.status = ParcelStatus::Cancelled;
                parcel.updated_at = context.now;
                Ok(Answer::ok(parcel))
            }
            ParcelStatus::Cancelled => Ok(Answer::ok(parcel)),
            _ => Err(Refusal::conflict("the parcel is already under way")),
        }
    }
}
