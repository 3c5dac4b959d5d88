//! What was charged, for one order or for all, newest first.

use axum::extract::State;
use axum::response::Response;
use serde_json::json;

use crate::desk::Desk;
use crate::incoming::{Incoming, OfOrder};
use crate::operation::Operation;
use crate::pages::Page;
use crate::reply::Answer;

/// `GET /v1/payments?order_id=`, or without it all of them in pages
pub(super) async fn look_up(
    State(desk): State<Desk>,
    OfOrder(order): OfOrder,
    page: Page,
    incoming: Incoming,
) -> Response {
    if order.is_none() {
        return desk
            .serve(Operation::ListCharges, incoming, move |world, _, _| {
                Ok(page.of("/v1/payments", world.payments.charges(None)))
            })
            .await;
    }
    desk.serve(Operation::LookUp, incoming, move |world, _, _| {
        let mut charges = world.payments.charges(order);
        charges.reverse();
        Ok(Answer::ok(json!({ "items": charges })))
    })
    .await
}
