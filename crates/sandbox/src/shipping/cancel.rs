//! Hold a parcel back, as long as nobody has fetched it.

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;

use super::{ParcelStatus, Parcels};
use crate::desk::Desk;
use crate::incoming::{Id, Incoming};
use crate::operation::Operation;
use crate::reply::{Answer, Refusal, Reply};
use crate::world::Occasion;

/// `PATCH /v1/shipments/{shipment_id}/status`
pub(super) async fn cancel(State(desk): State<Desk>, Id(id): Id, incoming: Incoming) -> Response {
    desk.serve(
        Operation::Cancel,
        incoming,
        move |world, incoming, occasion| {
            let asked: Asked = incoming.read()?;
            if !asked.status.eq_ignore_ascii_case("CANCELLED") {
                return Err(Refusal::invalid(
                    "the only status that can be set is CANCELLED",
                ));
            }
            let id = id.ok_or_else(|| Refusal::missing("there is no such shipment"))?;
            world.parcels.cancel(id, occasion)
        },
    )
    .await
}

#[derive(Deserialize)]
struct Asked {
    status: String,
}

impl Parcels {
    fn cancel(&mut self, id: u64, occasion: &Occasion) -> Reply {
        let parcel = self
            .0
            .by_id_mut(id)
            .ok_or_else(|| Refusal::missing("there is no such shipment"))?;
        match parcel.status {
            ParcelStatus::Pending | ParcelStatus::Packed => {
                parcel.status = ParcelStatus::Cancelled;
                parcel.updated_at = occasion.now;
                Ok(Answer::ok(parcel))
            }
            ParcelStatus::Cancelled => Ok(Answer::ok(parcel)),
            _ => Err(Refusal::conflict("the parcel is already under way")),
        }
    }
}
