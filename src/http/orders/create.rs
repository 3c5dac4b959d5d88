//! Place an order.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};

use crate::domain::cancel_reason::CancelReason;
use crate::domain::ids::CustomerId;
use crate::domain::order::Order;
use crate::domain::principal::{Principal, Role};
use crate::domain::status::OrderStatus;
use crate::http::access_log::About;
use crate::http::body::Faults;
use crate::http::caller::Caller;
use crate::http::docs::ProblemSchema;
use crate::http::etag::{Representation, Tag};
use crate::http::extract::JsonBody;
use crate::http::idempotency;
use crate::http::problem::{Kind, Problem};
use crate::orders::{Orders, Placed};

use super::cart::{self, CreateOrder};
use super::views::OrderView;

/// Place an order.
///
/// The order is committed first and then fulfilled: stock is reserved, the payment charged, the
/// shipment created. The answer waits a few seconds for that; `202` means that it goes on by itself
/// (follow `Location`). A refusal calls the order off and answers `402` or `409` with its number.
///
/// With an `Idempotency-Key` the same request can be sent again after any failure and places one
/// order at most. Also at `POST /v1/orders/`.
#[utoipa::path(
    post,
    path = "/v1/orders/create/",
    tag = "orders",
    request_body(content = CreateOrder, example = json!({
        "customer_id": 5,
        "items": [
            { "sku": "SKU123", "quantity": 2, "unit_price": 100.0 },
            { "sku": "SKU456", "quantity": 1, "unit_price": 50.0 }
        ]
    })),
    params(("Idempotency-Key" = Option<String>, Header,
        description = "1 to 255 visible characters, new for each order", max_length = 255)),
    responses(
        (status = 201, description = "Placed and settled", body = OrderView,
            headers(("ETag" = String, description = "The order's details as they are now"),
                ("Location" = String, description = "Where the order is"),
                ("Idempotent-Replayed" = Option<String>, description = "`true` when the key was used before"))),
        (status = 202, description = "Placed; its fulfilment goes on", body = OrderView,
            headers(("ETag" = String, description = "The order's details as they are now"),
                ("Location" = String, description = "Where the order is"))),
        (status = 402, description = "`payment-declined`: called off", body = ProblemSchema,
            content_type = "application/problem+json"),
        (status = 409, description = "`out-of-stock` or `fulfilment-refused`: called off",
            body = ProblemSchema, content_type = "application/problem+json"),
        (status = 422, description = "`idempotency-key-reused`", body = ProblemSchema,
            content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
pub async fn create_order(
    State(orders): State<Orders>,
    Caller(caller): Caller,
    headers: HeaderMap,
    JsonBody(body): JsonBody,
) -> Result<Response, Problem> {
    Orders::may_place(&caller)?;
    let mut faults = Faults::default();
    let draft = cart::read(&body, orders.pricing(), &mut faults);
    // Of the document, not of its bytes: a client that writes its fields in another order when it
    // tries again asks for the same.
    let key = idempotency::key(&headers, body.to_string().as_bytes(), &mut faults);
    let is_named = body.get("customer_id").is_some_and(|id| !id.is_null());
    if caller.customer_id.is_none() && body.is_object() && !is_named {
        faults.add("/customer_id", "missing", "must name the customer");
    }
    let cart = match faults.finish(draft) {
        Ok(draft) => {
            let customer_id = owner(&caller, draft.customer_id)?;
            Ok(draft.of(customer_id))
        }
        Err(problem) => Err(problem),
    };
    let placed = orders.place(&caller, cart, key).await?;
    respond(&caller, placed)
}

/// Whose order it is to be: the caller's, or for staff the customer's whom the body names.
fn owner(caller: &Principal, named: Option<CustomerId>) -> Result<CustomerId, Problem> {
    match (named, caller.customer_id) {
        (Some(named), own) if own == Some(named) || caller.role == Role::Staff => Ok(named),
        (None, Some(own)) => Ok(own),
        _ => {
            let mut faults = Faults::default();
            let detail = "must be your own customer number, or left out";
            faults.add("/customer_id", "not_yours", detail);
            Err(
                Problem::new(Kind::Forbidden, "orders are placed for oneself only")
                    .with_errors(faults.into()),
            )
        }
    }
}

fn respond(caller: &Principal, placed: Placed) -> Result<Response, Problem> {
    let Placed { order, replayed } = placed;
    let order_id = order.order_id;
    let answer = answer(&order);
    let tag = Tag::new(Representation::Details, order_id, order.version, caller);
    let view = OrderView::new(order, caller);
    let location = view.location();
    let mut response = match answer {
        Ok(status) => {
            let mut response = (status, Json(view)).into_response();
            tag.mark(response.headers_mut());
            response
        }
        Err((kind, detail)) => {
            let order = serde_json::to_value(&view).unwrap_or_default();
            Problem::new(kind, detail)
                .with_order(order_id, order)
                .into_response()
        }
    };
    let headers = response.headers_mut();
    if let Some(location) = location {
        headers.insert(header::LOCATION, location);
    }
    if replayed {
        idempotency::mark_replayed(headers);
    }
    response.extensions_mut().insert(About(order_id.0));
    Ok(response)
}

/// What the order's state means for who placed it.
fn answer(order: &Order) -> Result<StatusCode, (Kind, &'static str)> {
    let state = &order.state;
    match (state.order_status, state.cancel_reason) {
        (OrderStatus::Cancelled, Some(CancelReason::PaymentDeclined)) => Err((
            Kind::PaymentDeclined,
            "the payment was declined; the order was called off, and nothing is charged",
        )),
        (OrderStatus::Cancelled, Some(CancelReason::OutOfStock)) => Err((
            Kind::OutOfStock,
            "an item is out of stock; the order was called off, and nothing is charged",
        )),
        (OrderStatus::Cancelled, Some(CancelReason::PeerRefused)) => Err((
            Kind::FulfilmentRefused,
            "the order cannot be fulfilled; it was called off, and what was charged was refunded",
        )),
        (OrderStatus::Pending | OrderStatus::Cancelling, _) => Ok(StatusCode::ACCEPTED),
        _ => Ok(StatusCode::CREATED),
    }
}
