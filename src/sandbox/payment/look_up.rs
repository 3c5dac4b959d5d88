//! What was charged for an order, newest first.

use axum::extract::State;
use axum::response::Response;
use serde_json::json;

use crate::sandbox::desk::Desk;
use crate::sandbox::incoming::{Incoming, OfOrder};
use crate::sandbox::operation::Operation;
use crate::sandbox::reply::Answer;

/// `GET /v1/payments?order_id=`
pub(super) async fn look_up(
    State(desk): State<Desk>,
    order: OfOrder,
    incoming: Incoming,
) -> Response {
    desk.serve(Operation::LookUp, incoming, move |world, _, _| {
        let mut charges = world.payments.charges(Some(order.needed()?));
        charges.reverse();
        Ok(Answer::ok(json!({ "items": charges })))
    })
    .await
}
