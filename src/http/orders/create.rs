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
use crate::http::body::Violations;
use crate::http::caller::Caller;
use crate::http::etag::{EntityTag, Representation};
use crate::http::extract::JsonBody;
use crate::http::idempotency;
use crate::http::log_fields::LoggedOrder;
use crate::http::problem::{Problem, ProblemKind, ProblemSchema};
use crate::orders::{Orders, Placed};

use super::cart::{self, CreateOrder};
use super::views::OrderView;

/// Place an order.
///
/// The service commits the order and then fulfils it: it reserves the stock, charges the payment, and creates
/// the shipment. The response waits for a few seconds; `202` means that fulfilment continues in the
/// background, or waits for staff (follow `Location`). If a step is refused, the order is cancelled, and the answer is `402` or
/// `409` with its id.
///
/// With an `Idempotency-Key`, a client can repeat the request after any failure and places at most one
/// order. Also at `POST /v1/orders/`.
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
        description = "1 to 255 visible characters, new for each order")),
    responses(
        (status = 201, description = "Placed and settled", body = OrderView,
            headers(("ETag" = String, description = "The entity tag of the order in its present state"),
                ("Location" = String, description = "The URL of the order"),
                ("Idempotent-Replayed" = Option<String>, description = "`true` if the key was used before"))),
        (status = 202, description = "Placed; fulfilment continues, or waits for staff", body = OrderView,
            headers(("ETag" = String, description = "The entity tag of the order in its present state"),
                ("Location" = String, description = "The URL of the order"))),
        (status = 402, description = "`payment-declined`: cancelled", body = ProblemSchema,
            content_type = "application/problem+json"),
        (status = 409, description = "`out-of-stock` or `fulfilment-refused`: cancelled",
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
    let mut violations = Violations::default();
    let cart = cart::read(&body, orders.pricing(), &mut violations);
    // The fingerprint covers the parsed document, so that a retry may serialize its fields in another
    // order.
    let key = idempotency::key(&headers, body.to_string().as_bytes(), &mut violations);
    let is_named = body.get("customer_id").is_some_and(|id| !id.is_null());
    if caller.customer_id.is_none() && body.is_object() && !is_named {
        violations.add("/customer_id", "missing", "must name the customer");
    }
    let cart = match violations.finish(cart) {
        Ok(cart) => {
            let customer_id = owner(&caller, cart.customer_id)?;
            Ok(cart.owned_by(customer_id))
        }
        Err(problem) => Err(problem),
    };
    let placed = orders.place(&caller, cart, key).await?;
    Ok(respond(&caller, placed))
}

/// The owner of the new order: the caller, or the customer that staff name.
fn owner(caller: &Principal, named: Option<CustomerId>) -> Result<CustomerId, Problem> {
    match (named, caller.customer_id) {
        (Some(named), own) if own == Some(named) || caller.role == Role::Staff => Ok(named),
        (None, Some(own)) => Ok(own),
        _ => {
            let mut violations = Violations::default();
            let detail = "must be your own customer id, or left out";
            violations.add("/customer_id", "not_yours", detail);
            Err(Problem::new(
                ProblemKind::Forbidden,
                "you can only place orders for yourself",
            )
            .with_errors(violations.into()))
        }
    }
}

fn respond(caller: &Principal, placed: Placed) -> Response {
    let Placed { order, replayed } = placed;
    let order_id = order.order_id;
    let outcome = outcome(&order);
    let tag = EntityTag::new(Representation::Details, order_id, order.version, caller);
    let view = OrderView::new(order, caller);
    let location = view.location();
    let mut response = match outcome {
        Ok(status) => {
            let mut response = (status, Json(view)).into_response();
            tag.add_to(response.headers_mut());
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
    response.extensions_mut().insert(LoggedOrder(order_id.0));
    response
}

/// The status of the response, or the problem of a cancelled order.
fn outcome(order: &Order) -> Result<StatusCode, (ProblemKind, &'static str)> {
    let state = &order.state;
    match (state.order_status, state.cancel_reason) {
        (OrderStatus::Cancelled, Some(CancelReason::PaymentDeclined)) => Err((
            ProblemKind::PaymentDeclined,
            "the payment was declined; the order was cancelled and no charge remains",
        )),
        (OrderStatus::Cancelled, Some(CancelReason::OutOfStock)) => Err((
            ProblemKind::OutOfStock,
            "an item is out of stock; the order was cancelled and no charge remains",
        )),
        (OrderStatus::Cancelled, Some(CancelReason::PeerRefused)) => Err((
            ProblemKind::FulfilmentRefused,
            "the order cannot be fulfilled; it was cancelled and the payment was refunded",
        )),
        (OrderStatus::Pending | OrderStatus::Cancelling, _) => Ok(StatusCode::ACCEPTED),
        _ => Ok(StatusCode::CREATED),
    }
}
