//! One order.

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse as _, Response};

use crate::http::caller::Caller;
use crate::http::etag::{Representation, Tag, not_modified};
use crate::http::extract::PathOrder;
use crate::http::problem::Problem;
use crate::orders::Orders;

use super::views::OrderView;

/// One order with its items, totals and statuses.
///
/// Somebody else's order is `404`. Also at `/v1/orders/{order_id}/` and `…/detail/`.
#[utoipa::path(
    get,
    path = "/v1/orders/{order_id}/details/",
    tag = "orders",
    params(("order_id" = i64, Path, description = "The order's number", minimum = 1),
        ("If-None-Match" = Option<String>, Header, description = "A tag that is known already")),
    responses(
        (status = 200, description = "The order", body = OrderView,
            headers(("ETag" = String, description = "Changes with the order; for If-None-Match and If-Match"))),
        (status = 304, description = "As it was"),
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
    if let Some(same) = not_modified(&orders, &caller, order_id, representation, &headers).await? {
        return Ok(same);
    }
    let order = orders.details(&caller, order_id).await?;
    let tag = Tag::new(representation, order_id, order.version, &caller);
    let mut response = Json(OrderView::new(order, &caller)).into_response();
    tag.mark(response.headers_mut());
    Ok(response)
}
