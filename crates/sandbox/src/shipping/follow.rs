//! Where parcels are.

use axum::extract::State;
use axum::response::Response;
use serde_json::json;

use crate::desk::Desk;
use crate::incoming::{Id, Incoming, OfOrder};
use crate::operation::Operation;
use crate::pages::Page;
use crate::reply::{Answer, Refusal};

/// `GET /v1/shipments?order_id=`, newest first, or without it all of them in pages
pub(super) async fn follow(
    State(desk): State<Desk>,
    OfOrder(order): OfOrder,
    page: Page,
    incoming: Incoming,
) -> Response {
    if order.is_none() {
        return desk
            .serve(Operation::ListShipments, incoming, move |world, _, _| {
                Ok(page.of("/v1/shipments", world.parcels.shipments(None)))
            })
            .await;
    }
    desk.serve(Operation::Follow, incoming, move |world, _, _| {
        let mut parcels = world.parcels.shipments(order);
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
