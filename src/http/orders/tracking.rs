//! Where the parcel is.

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse as _, Response};

use crate::domain::status::Status as _;
use crate::http::caller::Caller;
use crate::http::etag::{Representation, Tag, not_modified};
use crate::http::extract::PathOrder;
use crate::http::problem::Problem;
use crate::orders::Orders;

use super::views::{EventView, TrackingView};

/// Where the parcel is, and everything that has happened to the order.
#[utoipa::path(
    get,
    path = "/v1/orders/{order_id}/tracking/",
    tag = "orders",
    params(("order_id" = i64, Path, description = "The order's number", minimum = 1),
        ("If-None-Match" = Option<String>, Header, description = "A tag that is known already")),
    responses(
        (status = 200, description = "Where the parcel is", body = TrackingView,
            headers(("ETag" = String, description = "Changes with the order; for If-None-Match and If-Match"))),
        (status = 304, description = "As it was"),
    ),
    security(("bearer" = []))
)]
pub async fn order_tracking(
    State(orders): State<Orders>,
    Caller(caller): Caller,
    PathOrder(order_id): PathOrder,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let representation = Representation::Tracking;
    if let Some(same) = not_modified(&orders, &caller, order_id, representation, &headers).await? {
        return Ok(same);
    }
    let tracking = orders.tracking(&caller, order_id).await?;
    let tag = Tag::new(representation, order_id, tracking.order.version, &caller);
    let state = tracking.order.state;
    let view = TrackingView {
        order_id: order_id.0,
        order_status: state.order_status.as_str(),
        shipping_status: state.shipping_status.as_str(),
        carrier: state.carrier,
        tracking_no: state.tracking_no,
        timeline: tracking
            .events
            .iter()
            .map(|event| EventView::new(event, &caller))
            .collect(),
    };
    let mut response = Json(view).into_response();
    tag.mark(response.headers_mut());
    Ok(response)
}
