//! Lists charges, of one order or of all, newest first.

use axum::extract::State;
use axum::response::Response;
use serde_json::json;

use crate::hub::Hub;
use crate::incoming::{Incoming, OrderFilter};
use crate::operation::Operation;
use crate::pages::PageRequest;
use crate::reply::Answer;

/// `GET /v1/payments?order_id=`; without the parameter, a page of all charges
pub(super) async fn look_up(
    State(hub): State<Hub>,
    OrderFilter(order): OrderFilter,
    page: PageRequest,
    incoming: Incoming,
) -> Response {
    if order.is_none() {
        return hub
            .serve(Operation::ListCharges, incoming, move |state, _, _| {
                Ok(page.of("/v1/payments", state.payments.charges(None)))
            })
            .await;
    }
    hub.serve(Operation::LookUp, incoming, move |state, _, _| {
        let mut charges = state.payments.charges(order);
        charges.reverse();
        Ok(Answer::ok(json!({ "items": charges })))
    })
    .await
}
