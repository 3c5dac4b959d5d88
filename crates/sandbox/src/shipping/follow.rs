//! Reads parcels.

use axum::extract::State;
use axum::response::Response;
use serde_json::json;

use crate::hub::Hub;
use crate::incoming::{Incoming, OrderFilter, PathId};
use crate::operation::Operation;
use crate::pages::PageRequest;
use crate::reply::{Answer, Refusal};

/// `GET /v1/shipments?order_id=`, newest first; without the parameter, a page of all parcels
pub(super) async fn follow(
    State(hub): State<Hub>,
    OrderFilter(order): OrderFilter,
    page: PageRequest,
    incoming: Incoming,
) -> Response {
    if order.is_none() {
        return hub
            .serve(Operation::ListShipments, incoming, move |state, _, _| {
                Ok(page.of("/v1/shipments", state.parcels.shipments(None)))
            })
            .await;
    }
    hub.serve(Operation::Follow, incoming, move |state, _, _| {
        let mut parcels = state.parcels.shipments(order);
        parcels.reverse();
        Ok(Answer::ok(json!({ "items": parcels })))
    })
    .await
}

/// `GET /v1/shipments/{shipment_id}`
pub(super) async fn follow_one(
    State(hub): State<Hub>,
    PathId(id): PathId,
    incoming: Incoming,
) -> Response {
    hub.serve(Operation::Follow, incoming, move |state, _, _| {
        let parcel = id.and_then(|id| state.parcels.0.by_id_mut(id));
        parcel
            .map(Answer::ok)
            .ok_or_else(|| Refusal::missing("there is no such shipment"))
    })
    .await
}
