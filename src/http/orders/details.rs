//! One order.

use axum::Json;
use axum::extract::State;

use crate::http::caller::Caller;
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
    params(("order_id" = i64, Path, description = "The order's number", minimum = 1)),
    responses((status = 200, description = "The order", body = OrderView)),
    security(("bearer" = []))
)]
pub async fn order_details(
    State(orders): State<Orders>,
    Caller(caller): Caller,
    PathOrder(order_id): PathOrder,
) -> Result<Json<OrderView>, Problem> {
    let order = orders.details(&caller, order_id).await?;
    Ok(Json(OrderView::new(order, &caller)))
}
