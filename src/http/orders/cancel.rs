//! Call an order off.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;

use crate::domain::status::OrderStatus;
use crate::http::caller::Caller;
use crate::http::docs::ProblemSchema;
use crate::http::extract::PathOrder;
use crate::http::problem::Problem;
use crate::orders::Orders;

use super::views::OrderView;

/// Call an order off.
///
/// `CANCELLED` is only said once the money is refunded and the stock released; `202` means that this
/// goes on by itself. Cancelling twice is harmless. Once the parcel is on its way the answer is `409`.
#[utoipa::path(
    post,
    path = "/v1/orders/{order_id}/cancel/",
    tag = "orders",
    params(("order_id" = i64, Path, description = "The order's number", minimum = 1)),
    responses(
        (status = 200, description = "Cancelled", body = OrderView),
        (status = 202, description = "Being cancelled", body = OrderView),
        (status = 409, description = "`cannot-cancel`: too late", body = ProblemSchema,
            content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
pub async fn cancel_order(
    State(orders): State<Orders>,
    Caller(caller): Caller,
    PathOrder(order_id): PathOrder,
) -> Result<(StatusCode, Json<OrderView>), Problem> {
    let order = orders.cancel(&caller, order_id).await?;
    let status = match order.state.order_status {
        OrderStatus::Cancelled => StatusCode::OK,
        _ => StatusCode::ACCEPTED,
    };
    Ok((status, Json(OrderView::new(order, &caller))))
}
