//! Track a parcel.

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse as _, Response};

use crate::domain::status::Status as _;
use crate::http::caller::Caller;
use crate::http::etag::{EntityTag, Representation, not_modified};
use crate::http::extract::PathOrder;
use crate::http::problem::Problem;
use crate::orders::Orders;

use super::views::{EventView, TrackingView};

/// Track the parcel, with all events of the order.
#[utoipa::path(
    get,
    path = "/v1/orders/{order_id}/tracking/",
    tag = "orders",
    params(("order_id" = i64, Path, description = "The id of the order", minimum = 1),
        ("If-None-Match" = Option<String>, Header, description = "The ETag of a cached response")),
    responses(
        (status = 200, description = "The tracking of the parcel", body = TrackingView,
            headers(("ETag" = String, description = "The entity tag, for If-None-Match and If-Match; it changes with the order"))),
        (status = 304, description = "The cached response is current"),
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
    if let Some(response) =
        not_modified(&orders, &caller, order_id, representation, &headers).await?
    {
        return Ok(response);
    }
    let tracking = orders.tracking(&caller, order_id).await?;
    let tag = EntityTag::new(representation, order_id, tracking.order.version, &caller);
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
    tag.add_to(response.headers_mut());
    Ok(response)
}
