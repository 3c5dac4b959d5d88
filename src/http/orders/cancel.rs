//! Cancel an order.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};

use crate::domain::status::OrderStatus;
use crate::http::body::Violations;
use crate::http::caller::Caller;
use crate::http::etag::{self, EntityTag, Representation, write_problem};
use crate::http::extract::PathOrder;
use crate::http::idempotency;
use crate::http::problem::{Problem, ProblemSchema};
use crate::orders::{Cancelled, Orders};

use super::views::OrderView;

/// Cancel an order.
///
/// The status becomes `CANCELLED` after the refund and the release of the stock; `202` means that the
/// compensation continues in the background, or waits for staff. Cancelling is idempotent, with or without an
/// `Idempotency-Key`. After the parcel has left, the answer is `409`. With `If-Match`, the answer is `412`
/// if the order has changed; a replay by `Idempotency-Key` skips this check.
#[utoipa::path(
    post,
    path = "/v1/orders/{order_id}/cancel/",
    tag = "orders",
    params(("order_id" = i64, Path, description = "The id of the order", minimum = 1),
        ("Idempotency-Key" = Option<String>, Header,
            description = "1 to 255 visible characters, new for each cancellation"),
        ("If-Match" = Option<String>, Header,
            description = "The ETag of the order; the request fails if the order has changed since")),
    responses(
        (status = 200, description = "Cancelled", body = OrderView,
            headers(("ETag" = String, description = "The entity tag of the order in its present state"),
                ("Idempotent-Replayed" = Option<String>, description = "`true` if the key was used before"))),
        (status = 202, description = "Being cancelled; compensation continues, or waits for staff", body = OrderView,
            headers(("ETag" = String, description = "The entity tag of the order in its present state"))),
        (status = 409, description = "`cannot-cancel`: too late", body = ProblemSchema,
            content_type = "application/problem+json"),
        (status = 412, description = "`precondition-failed`: the order has changed since the ETag was read",
            body = ProblemSchema, content_type = "application/problem+json",
            headers(("ETag" = String, description = "The entity tag of the order in its present state"))),
        (status = 422, description = "`idempotency-key-reused`", body = ProblemSchema,
            content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
pub async fn cancel_order(
    State(orders): State<Orders>,
    Caller(caller): Caller,
    PathOrder(order_id): PathOrder,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let mut violations = Violations::default();
    let key = idempotency::key(&headers, order_id.to_string().as_bytes(), &mut violations);
    let expected = etag::expected(&headers, order_id, &mut violations);
    violations.finish(Some(()))?;
    let cancelled = orders.cancel(&caller, order_id, key, expected).await;
    let Cancelled { order, replayed } = cancelled.map_err(|error| write_problem(error, &caller))?;
    let tag = EntityTag::new(Representation::Details, order_id, order.version, &caller);
    let status = match order.state.order_status {
        OrderStatus::Cancelled => StatusCode::OK,
        _ => StatusCode::ACCEPTED,
    };
    let mut response = (status, Json(OrderView::new(order, &caller))).into_response();
    tag.add_to(response.headers_mut());
    if replayed {
        idempotency::mark_replayed(response.headers_mut());
    }
    Ok(response)
}
