//! Read an order.

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse as _, Response};

use crate::http::caller::Caller;
use crate::http::etag::{EntityTag, Representation, not_modified};
use crate::http::extract::PathOrder;
use crate::http::problem::Problem;
use crate::orders::Orders;

use super::views::OrderView;

/// Read an order with its items, totals and statuses.
///
/// An order of another customer is `404`. Also at `/v1/orders/{order_id}/` and `…/detail/`.
#[utoipa::path(
    get,
    path = "/v1/orders/{order_id}/details/",
    tag = "orders",
    params(("order_id" = i64, Path, description = "The id of the order", minimum = 1),
        ("If-None-Match" = Option<String>, Header, description = "The ETag of a cached response")),
    responses(
        (status = 200, description = "The order", body = OrderView,
            headers(("ETag" = String, description = "The entity tag, for If-None-Match and If-Match; it changes with the order"))),
        (status = 304, description = "The cached response is current"),
    ),
    security(("bearer" = []))
)]
pub async fn order_details(
    State(orders): State<Orders>,
    Caller(caller): Caller,
    PathOrder(order_id): PathOrder,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let representation = Representation::Details;
    if let Some(response) =
        not_modified(&orders, &caller, order_id, representation, &headers).await?
    {
        return Ok(response);
    }
    let order = orders.details(&caller, order_id).await?;
    let tag = EntityTag::new(representation, order_id, order.version, &caller);
    let mut response = Json(OrderView::new(order, &caller)).into_response();
    tag.add_to(response.headers_mut());
    Ok(response)
}
