//! Where parcels are.

use axum::extract::State;
use axum::response::Response;
use serde_json::json;

use crate::sandbox::desk::Desk;
use crate::sandbox::incoming::{Id, Incoming, OfOrder};
use crate::sandbox::operation::Operation;
use crate::sandbox::reply::{Answer, Refusal};

/// `GET /v1/shipments?order_id=`, newest first
pub(super) async fn follow(
    State(desk): State<Desk>,
    order: OfOrder,
    incoming: Incoming,
) -> Response {
    desk.serve(Operation::Follow, incoming, move |world, _, _| {
        let mut parcels = world.parcels.shipments(Some(order.needed()?));
        parcels.reverse();
        Ok(Answer::ok(json!({ "items": parcels })))
    })
    .await
}

/// `GET /v1/shipments/{shipment_id}`
pub(super) async fn follow_one(
    State(desk): State<Desk>,
    Id(id): Id,
    incoming: Incoming,
) -> Response {
    desk.serve(Operation::Follow, incoming, move |world, _, _| {
        let parcel = id.and_then(|id| world.parcels.0.by_id_mut(id));
        parcel
            .map(Answer::ok)
            .ok_or_else(|| Refusal::missing("there is no such shipment"))
    })
    .await
}
