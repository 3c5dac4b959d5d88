//! Call an order off.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};

use crate::domain::status::OrderStatus;
use crate::http::body::Faults;
use crate::http::caller::Caller;
use crate::http::docs::ProblemSchema;
use crate::http::etag::{self, Representation, Tag, refused};
use crate::http::extract::PathOrder;
use crate::http::idempotency;
use crate::http::problem::Problem;
use crate::orders::{Cancelled, Orders};

use super::views::OrderView;

/// Call an order off.
///
/// `CANCELLED` is only said once the money is refunded and the stock released; `202` means that this
/// goes on by itself. Cancelling twice is harmless, with an `Idempotency-Key` or without. Once the
/// parcel is on its way the answer is `409`. With `If-Match` only the order that was read is cancelled,
/// else the answer is `412`; a repeat by `Idempotency-Key` of a cancel that was taken is none.
#[utoipa::path(
    post,
    path = "/v1/orders/{order_id}/cancel/",
    tag = "orders",
    params(("order_id" = i64, Path, description = "The order's number", minimum = 1),
        ("Idempotency-Key" = Option<String>, Header,
            description = "1 to 255 visible characters, new for each cancel", max_length = 255),
        ("If-Match" = Option<String>, Header,
            description = "The ETag of the order as it was read: nothing is done if it has changed since")),
    responses(
        (status = 200, description = "Cancelled", body = OrderView,
            headers(("ETag" = String, description = "The order's details as they are now"),
                ("Idempotent-Replayed" = Option<String>, description = "`true` when the key was used before"))),
        (status = 202, description = "Being cancelled", body = OrderView,
            headers(("ETag" = String, description = "The order's details as they are now"))),
        (status = 409, description = "`cannot-cancel`: too late", body = ProblemSchema,
            content_type = "application/problem+json"),
        (status = 412, description = "`precondition-failed`: the order has changed since it was read",
            body = ProblemSchema, content_type = "application/problem+json",
            headers(("ETag" = String, description = "The order's details as they are now"))),
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
    let mut faults = Faults::default();
    let key = idempotency::key(&headers, order_id.to_string().as_bytes(), &mut faults);
    let expected = etag::expected(&headers, order_id, &mut faults);
    faults.finish(Some(()))?;
    let cancelled = orders.cancel(&caller, order_id, key, expected).await;
    let Cancelled { order, replayed } = cancelled.map_err(|error| refused(error, &caller))?;
    let tag = Tag::new(Representation::Details, order_id, order.version, &caller);
    let status = match order.state.order_status {
        OrderStatus::Cancelled => StatusCode::OK,
        _ => StatusCode::ACCEPTED,
    };
    let mut response = (status, Json(OrderView::new(order, &caller))).into_response();
    tag.mark(response.headers_mut());
    if replayed {
        idempotency::mark_replayed(response.headers_mut());
    }
    Ok(response)
}
