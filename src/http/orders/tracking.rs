//! Where the parcel is.

use axum::Json;
use axum::extract::State;

use crate::domain::status::Status as _;
use crate::http::caller::Caller;
use crate::http::extract::PathOrder;
use crate::http::problem::Problem;
use crate::orders::Orders;

use super::views::{EventView, TrackingView};

/// Where the parcel is, and everything that has happened to the order.
#[utoipa::path(
    get,
    path = "/v1/orders/{order_id}/tracking/",
    tag = "orders",
    params(("order_id" = i64, Path, description = "The order's number", minimum = 1)),
    responses((status = 200, description = "Where the parcel is", body = TrackingView)),
    security(("bearer" = []))
)]
pub async fn order_tracking(
    State(orders): State<Orders>,
    Caller(caller): Caller,
    PathOrder(order_id): PathOrder,
) -> Result<Json<TrackingView>, Problem> {
    let tracking = orders.tracking(&caller, order_id).await?;
    let state = tracking.order.state;
    Ok(Json(TrackingView {
        order_id: order_id.0,
        order_status: state.order_status.as_str(),
        shipping_status: state.shipping_status.as_str(),
        carrier: state.carrier,
        tracking_no: state.tracking_no,
        timeline: tracking
            .events
            .into_iter()
            .map(|event| EventView::new(event, &caller))
            .collect(),
    }))
}
