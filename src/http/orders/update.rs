//! Update the statuses of an order.

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa::openapi::schema::{Object, ObjectBuilder, SchemaType, Type};

use crate::domain::status::{OrderStatus, PaymentStatus, ShippingStatus, Status};
use crate::http::body::{JsonObject, Violations};
use crate::http::caller::Caller;
use crate::http::etag::{self, EntityTag, Representation, write_problem};
use crate::http::extract::{JsonBody, PathOrder};
use crate::http::problem::{Problem, ProblemSchema};
use crate::orders::{Orders, StatusUpdate};

use super::views::OrderView;

/// New statuses of an order; at least one of the three.
#[derive(Deserialize, ToSchema)]
#[schema(min_properties = 1)]
#[expect(
    dead_code,
    reason = "describes the schema; the handler parses by hand, to report all violations"
)]
pub struct UpdateOrder {
    /// `SHIPPED` or `DELIVERED`; for staff.
    #[schema(schema_with = order_statuses)]
    order_status: Option<String>,
    /// `PAID`, `FAILED` or `REFUNDED`. While the saga fulfils or cancels the order, this only wakes the saga,
    /// which reads the payment from PaymentService.
    #[schema(schema_with = payment_statuses)]
    payment_status: Option<String>,
    /// A shipping status, or a carrier status: `PACKED`, `PICKED_UP`, `IN_TRANSIT`, `OUT_FOR_DELIVERY`.
    #[schema(schema_with = shipping_statuses)]
    shipping_status: Option<String>,
}

fn order_statuses() -> Object {
    one_of(&names::<OrderStatus>(), "SHIPPED")
}

fn payment_statuses() -> Object {
    one_of(&names::<PaymentStatus>(), "REFUNDED")
}

fn shipping_statuses() -> Object {
    one_of(&shipping_words(), "IN_TRANSIT")
}

/// The schema of a text that is one of these, or null.
fn one_of(names: &[&str], example: &str) -> Object {
    ObjectBuilder::new()
        .schema_type(SchemaType::from_iter([Type::String, Type::Null]))
        .pattern(Some(format!("^({})$", names.join("|"))))
        .examples([example])
        .build()
}

fn names<S: Status>() -> Vec<&'static str> {
    S::ALL.iter().map(|status| status.as_str()).collect()
}

/// Shipping statuses and carrier statuses.
fn shipping_words() -> Vec<&'static str> {
    let mut words = names::<ShippingStatus>();
    words.extend(ShippingStatus::CARRIER_WORDS.map(|(word, _)| word));
    words
}

/// Update the statuses of an order.
///
/// For staff and peer services. Repeated and late updates change nothing and are answered with `200`. A
/// transition that the state machine does not allow is answered with `409`.
#[utoipa::path(
    patch,
    path = "/v1/orders/{order_id}/update/",
    tag = "orders",
    params(("order_id" = i64, Path, description = "The id of the order", minimum = 1),
        ("If-Match" = Option<String>, Header,
            description = "The ETag of the order; the request fails if the order has changed since")),
    request_body = UpdateOrder,
    responses(
        (status = 200, description = "The order in its present state", body = OrderView,
            headers(("ETag" = String, description = "The entity tag of the order in its present state"))),
        (status = 409, description = "`invalid-transition`", body = ProblemSchema,
            content_type = "application/problem+json"),
        (status = 412, description = "`precondition-failed`: the order has changed since the ETag was read",
            body = ProblemSchema, content_type = "application/problem+json",
            headers(("ETag" = String, description = "The entity tag of the order in its present state"))),
    ),
    security(("bearer" = []))
)]
pub async fn update_order(
    State(orders): State<Orders>,
    Caller(caller): Caller,
    PathOrder(order_id): PathOrder,
    headers: HeaderMap,
    JsonBody(body): JsonBody,
) -> Result<Response, Problem> {
    let mut violations = Violations::default();
    let expected = etag::expected(&headers, order_id, &mut violations);
    let update = read(&body, &mut violations);
    let update = violations.finish(update)?;
    let updated = orders
        .update_status(&caller, order_id, update, expected)
        .await;
    let order = updated.map_err(|error| write_problem(error, &caller))?;
    let tag = EntityTag::new(Representation::Details, order_id, order.version, &caller);
    let mut response = Json(OrderView::new(order, &caller)).into_response();
    tag.add_to(response.headers_mut());
    Ok(response)
}

fn read(document: &Value, violations: &mut Violations) -> Option<StatusUpdate> {
    let object = JsonObject::at(document, "", violations)?;
    let fields = ["order_status", "payment_status", "shipping_status"];
    if fields.iter().all(|field| object.optional(field).is_none()) {
        violations.add(
            "",
            "missing",
            format!("must have at least one of {}", fields.join(", ")),
        );
        return None;
    }
    Some(StatusUpdate {
        order_status: status(&object, "order_status", violations),
        payment_status: status(&object, "payment_status", violations),
        shipping_status: shipping_status(&object, violations),
    })
}

fn status<S: Status>(
    object: &JsonObject<'_>,
    name: &str,
    violations: &mut Violations,
) -> Option<S> {
    let word = object.text(name, object.optional(name)?, 40, violations)?;
    let status = S::from_name(&word);
    if status.is_none() {
        let detail = format!("must be one of {}", names::<S>().join(", "));
        violations.add(object.pointer(name), "unknown_value", detail);
    }
    status
}

/// The shipping status, and the carrier's word for it.
fn shipping_status(
    object: &JsonObject<'_>,
    violations: &mut Violations,
) -> Option<(ShippingStatus, String)> {
    let name = "shipping_status";
    let word = object
        .text(name, object.optional(name)?, 40, violations)?
        .to_ascii_uppercase();
    let status = ShippingStatus::from_carrier(&word).or_else(|| ShippingStatus::from_name(&word));
    if status.is_none() {
        let detail = format!("must be one of {}", shipping_words().join(", "));
        violations.add(object.pointer(name), "unknown_value", detail);
    }
    Some((status?, word))
}
