//! Report news of an order.

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa::openapi::schema::{Object, ObjectBuilder, SchemaType, Type};

use crate::domain::status::{OrderStatus, PaymentStatus, ShippingStatus, Status};
use crate::http::body::{self, Faults};
use crate::http::caller::Caller;
use crate::http::docs::ProblemSchema;
use crate::http::etag::{self, Representation, Tag, refused};
use crate::http::extract::{JsonBody, PathOrder};
use crate::http::problem::Problem;
use crate::orders::{Orders, StatusUpdate};

use super::views::OrderView;

/// A status update of an order; at least one of the three.
#[derive(Deserialize, ToSchema)]
#[schema(min_properties = 1)]
#[expect(
    dead_code,
    reason = "describes what is read by hand, so that all faults are told at once"
)]
pub struct UpdateOrder {
    /// `SHIPPED` or `DELIVERED`; for staff.
    #[schema(schema_with = order_statuses)]
    order_status: Option<String>,
    /// `PAID`, `FAILED` or `REFUNDED`. While the order is being fulfilled or cancelled, this only
    /// makes the service ask PaymentService sooner.
    #[schema(schema_with = payment_statuses)]
    payment_status: Option<String>,
    /// Our status, or the carrier's: `PACKED`, `PICKED_UP`, `IN_TRANSIT`, `OUT_FOR_DELIVERY`.
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
    one_of(&words_for_parcels(), "IN_TRANSIT")
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

/// Ours and the carriers'.
fn words_for_parcels() -> Vec<&'static str> {
    let mut words = names::<ShippingStatus>();
    words.extend(ShippingStatus::CARRIER_WORDS.map(|(word, _)| word));
    words
}

/// Report news of an order.
///
/// For staff and peer services. Repeats, and news that come late, change nothing and answer `200`;
/// where the statuses cannot lead, the answer is `409`.
#[utoipa::path(
    patch,
    path = "/v1/orders/{order_id}/update/",
    tag = "orders",
    params(("order_id" = i64, Path, description = "The order's number", minimum = 1),
        ("If-Match" = Option<String>, Header,
            description = "The ETag of the order as it was read: nothing is done if it has changed since")),
    request_body = UpdateOrder,
    responses(
        (status = 200, description = "The order as it is now", body = OrderView,
            headers(("ETag" = String, description = "The order's details as they are now"))),
        (status = 409, description = "`invalid-transition`", body = ProblemSchema,
            content_type = "application/problem+json"),
        (status = 412, description = "`precondition-failed`: the order has changed since it was read",
            body = ProblemSchema, content_type = "application/problem+json",
            headers(("ETag" = String, description = "The order's details as they are now"))),
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
    let mut faults = Faults::default();
    let expected = etag::expected(&headers, order_id, &mut faults);
    let news = news(&body, &mut faults);
    let news = faults.finish(news)?;
    let updated = orders
        .update_status(&caller, order_id, news, expected)
        .await;
    let order = updated.map_err(|error| refused(error, &caller))?;
    let tag = Tag::new(Representation::Details, order_id, order.version, &caller);
    let mut response = Json(OrderView::new(order, &caller)).into_response();
    tag.mark(response.headers_mut());
    Ok(response)
}

fn news(document: &Value, faults: &mut Faults) -> Option<StatusUpdate> {
    let object = body::Object::at(document, "", faults)?;
    let fields = ["order_status", "payment_status", "shipping_status"];
    if fields.iter().all(|field| object.optional(field).is_none()) {
        faults.add(
            "",
            "missing",
            format!("must have at least one of {}", fields.join(", ")),
        );
        return None;
    }
    Some(StatusUpdate {
        order_status: status(&object, "order_status", faults),
        payment_status: status(&object, "payment_status", faults),
        shipping_status: shipping_status(&object, faults),
    })
}

fn status<S: Status>(object: &body::Object<'_>, name: &str, faults: &mut Faults) -> Option<S> {
    let word = object.text(name, object.optional(name)?, 40, faults)?;
    let status = S::from_name(&word);
    if status.is_none() {
        let detail = format!("must be one of {}", names::<S>().join(", "));
        faults.add(object.pointer(name), "unknown_value", detail);
    }
    status
}

/// Our word for where the parcel is, and the one that was sent.
fn shipping_status(
    object: &body::Object<'_>,
    faults: &mut Faults,
) -> Option<(ShippingStatus, String)> {
    let name = "shipping_status";
    let word = object
        .text(name, object.optional(name)?, 40, faults)?
        .to_ascii_uppercase();
    let status = ShippingStatus::from_carrier(&word).or_else(|| ShippingStatus::from_name(&word));
    if status.is_none() {
        let detail = format!("must be one of {}", words_for_parcels().join(", "));
        faults.add(object.pointer(name), "unknown_value", detail);
    }
    Some((status?, word))
}
