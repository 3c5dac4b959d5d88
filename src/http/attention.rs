//! What operators do about orders that need a person.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::OffsetDateTime;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::clock;
use crate::domain::step::Step;
use crate::orders::{Orders, Resolution, SagaStatus};

use super::Shared;
use super::body::{Faults, Object};
use super::caller::Caller;
use super::docs::ProblemSchema;
use super::extract::{JsonBody, PathOrder};
use super::orders::OrderView;
use super::problem::Problem;

/// How long the words of a person may be, in characters.
pub const MAX_REASON_CHARS: usize = 500;

/// Every route, with its documentation.
pub fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(stuck_orders))
        .routes(routes!(retry_order))
        .routes(routes!(resolve_order))
}

/// Orders that need a person, longest first; a hundred at most.
#[derive(Debug, Serialize, ToSchema)]
struct AttentionList {
    /// The orders.
    results: Vec<AttentionView>,
}

/// Why an order needs a person.
#[derive(Debug, Serialize, ToSchema)]
struct AttentionView {
    /// The order's number.
    #[schema(example = 1, minimum = 1)]
    order_id: i64,
    /// Whose it is.
    #[schema(example = 5, minimum = 1)]
    customer_id: i64,
    /// `stuck`: nothing happens without a decision. `doing`, `recalling`, `undoing`: it goes on by
    /// itself, but has been at this for a quarter of an hour.
    #[schema(example = "stuck")]
    phase: &'static str,
    /// The step: `reserve_stock`, `charge_payment`, `create_shipment` or `commit_stock`.
    #[schema(example = "charge_payment")]
    step: Option<&'static str>,
    /// Since when it stands there.
    #[serde(with = "time::serde::rfc3339")]
    since: OffsetDateTime,
    /// For how many seconds.
    #[schema(example = 3600, minimum = 0)]
    age_s: i64,
    /// Attempts that led nowhere.
    #[schema(example = 7, minimum = 0)]
    attempts: i32,
    /// What the peer last said.
    #[schema(example = "answered 503 without a reason")]
    last_answer: Option<String>,
    /// When it is looked at again by itself.
    #[serde(with = "time::serde::rfc3339::option")]
    due_at: Option<OffsetDateTime>,
}

impl From<SagaStatus> for AttentionView {
    fn from(found: SagaStatus) -> Self {
        Self {
            order_id: found.order_id,
            customer_id: found.customer_id,
            phase: found.phase.as_str(),
            step: found.step.map(Step::as_str),
            since: found.since,
            age_s: (clock::now() - found.since).whole_seconds().max(0),
            attempts: found.attempts,
            last_answer: found.last_answer,
            due_at: found.due_at,
        }
    }
}

/// Why an order is tried again.
#[derive(Deserialize, ToSchema)]
#[expect(
    dead_code,
    reason = "describes what is read by hand, so that all faults are told at once"
)]
struct RetryOrder {
    /// Why; it stands in the order's history.
    #[schema(
        example = "Payment says that the charge is mended",
        min_length = 1,
        max_length = 500
    )]
    reason: String,
}

/// How an order was settled by hand.
#[derive(Deserialize, ToSchema)]
#[expect(
    dead_code,
    reason = "describes what is read by hand, so that all faults are told at once"
)]
struct ResolveOrder {
    /// `completed`: what was open is done, the order stands. `cancelled`: what was done is undone, and
    /// the money returned.
    #[schema(example = "cancelled", pattern = "^(completed|cancelled)$")]
    outcome: String,
    /// Why, and what was done; it stands in the order's history.
    #[schema(
        example = "Refunded by bank transfer",
        min_length = 1,
        max_length = 500
    )]
    reason: String,
}

/// Orders that need a person: those that are stuck, and those that take long.
#[utoipa::path(
    get,
    path = "/v1/ops/orders/stuck/",
    tag = "operations",
    responses((status = 200, description = "Longest first, a hundred at most", body = AttentionList)),
    security(("bearer" = []))
)]
async fn stuck_orders(
    State(orders): State<Orders>,
    Caller(caller): Caller,
) -> Result<Json<AttentionList>, Problem> {
    let found = orders.needing_attention(&caller).await?;
    Ok(Json(AttentionList {
        results: found.into_iter().map(AttentionView::from).collect(),
    }))
}

/// Try an order again now.
#[utoipa::path(
    post,
    path = "/v1/ops/orders/{order_id}/retry/",
    tag = "operations",
    params(("order_id" = i64, Path, description = "The order's number", minimum = 1)),
    request_body = RetryOrder,
    responses(
        (status = 200, description = "It goes on", body = OrderView),
        (status = 409, description = "`nothing-to-decide` or `cannot-cancel`", body = ProblemSchema,
            content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
async fn retry_order(
    State(orders): State<Orders>,
    Caller(caller): Caller,
    PathOrder(order_id): PathOrder,
    JsonBody(body): JsonBody,
) -> Result<Json<OrderView>, Problem> {
    let mut faults = Faults::default();
    let reason =
        Object::at(&body, "", &mut faults).and_then(|body| read_reason(&body, &mut faults));
    let reason = faults.finish(reason)?;
    let order = orders
        .resolve(&caller, order_id, Resolution::Retry, reason)
        .await?;
    Ok(Json(OrderView::new(order, &caller)))
}

/// Write down that a stuck order was settled by hand.
#[utoipa::path(
    post,
    path = "/v1/ops/orders/{order_id}/resolve/",
    tag = "operations",
    params(("order_id" = i64, Path, description = "The order's number", minimum = 1)),
    request_body = ResolveOrder,
    responses(
        (status = 200, description = "The order as it is now", body = OrderView),
        (status = 409, description = "`nothing-to-decide`, `cannot-cancel` or `invalid-transition`",
            body = ProblemSchema, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
async fn resolve_order(
    State(orders): State<Orders>,
    Caller(caller): Caller,
    PathOrder(order_id): PathOrder,
    JsonBody(body): JsonBody,
) -> Result<Json<OrderView>, Problem> {
    let (decision, reason) = read_resolution(&body)?;
    let order = orders.resolve(&caller, order_id, decision, reason).await?;
    Ok(Json(OrderView::new(order, &caller)))
}

fn read_reason(body: &Object<'_>, faults: &mut Faults) -> Option<String> {
    let value = body.required("reason", faults)?;
    body.text("reason", value, MAX_REASON_CHARS, faults)
}

fn read_resolution(body: &Value) -> Result<(Resolution, String), Problem> {
    let mut faults = Faults::default();
    let read = Object::at(body, "", &mut faults).and_then(|body| {
        let outcome = body
            .required("outcome", &mut faults)
            .and_then(|value| body.text("outcome", value, 20, &mut faults))
            .and_then(|word| match word.as_str() {
                "completed" => Some(Resolution::Completed),
                "cancelled" => Some(Resolution::Cancelled),
                _ => {
                    let expected = "must be completed or cancelled";
                    faults.add(body.pointer("outcome"), "unknown_value", expected);
                    None
                }
            });
        let reason = read_reason(&body, &mut faults);
        Some((outcome?, reason?))
    });
    faults.finish(read)
}
