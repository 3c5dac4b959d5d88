//! The API of staff for orders that need attention.

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

use super::body::{JsonObject, Violations};
use super::caller::Caller;
use super::extract::{JsonBody, PathOrder};
use super::orders::OrderView;
use super::problem::{Problem, ProblemSchema};
use super::state::HttpState;

/// The maximum length of a reason, in characters.
pub const MAX_REASON_CHARS: usize = 500;

/// Every route, with its documentation.
pub fn routes() -> OpenApiRouter<HttpState> {
    OpenApiRouter::new()
        .routes(routes!(stuck_orders))
        .routes(routes!(retry_order))
        .routes(routes!(resolve_order))
}

/// Orders that need attention, longest first, at most a hundred.
#[derive(Debug, Serialize, ToSchema)]
struct AttentionList {
    /// The orders.
    results: Vec<AttentionView>,
}

/// An order that needs attention.
#[derive(Debug, Serialize, ToSchema)]
struct AttentionView {
    /// The id of the order.
    #[schema(example = 1, minimum = 1)]
    order_id: i64,
    /// The id of the customer.
    #[schema(example = 5, minimum = 1)]
    customer_id: i64,
    /// `stuck`: the saga waits for a decision. `doing`, `recalling`, `undoing`: the saga continues by
    /// itself, but has been in this step for a quarter of an hour.
    #[schema(example = "stuck")]
    phase: &'static str,
    /// The step: `reserve_stock`, `charge_payment`, `create_shipment` or `commit_stock`.
    #[schema(example = "charge_payment")]
    step: Option<&'static str>,
    /// When the saga reached this state.
    #[serde(with = "time::serde::rfc3339")]
    since: OffsetDateTime,
    /// Seconds since then.
    #[schema(example = 3600, minimum = 0)]
    age_s: i64,
    /// Consecutive attempts without a definite answer.
    #[schema(example = 7, minimum = 0)]
    attempts: i32,
    /// The last answer of the peer.
    #[schema(example = "answered 503 without a reason")]
    last_answer: Option<String>,
    /// When the saga makes its next attempt.
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

/// The request to retry an order.
#[derive(Deserialize, ToSchema)]
#[expect(
    dead_code,
    reason = "describes the schema; the handler parses by hand, to report all violations"
)]
struct RetryOrder {
    /// The reason; it appears in the order's history.
    #[schema(example = "Payment corrected the charge")]
    reason: String,
}

/// The request to resolve an order by hand.
#[derive(Deserialize, ToSchema)]
#[expect(
    dead_code,
    reason = "describes the schema; the handler parses by hand, to report all violations"
)]
struct ResolveOrder {
    /// `completed`: the open step is done, and the order stands. `cancelled`: the completed steps are undone,
    /// and the money is returned.
    #[schema(example = "cancelled", pattern = "^(completed|cancelled)$")]
    outcome: String,
    /// The reason, and what was done; it appears in the order's history.
    #[schema(example = "Refunded by bank transfer")]
    reason: String,
}

/// List orders that need attention: stuck ones, and slow ones.
#[utoipa::path(
    get,
    path = "/v1/ops/orders/stuck/",
    tag = "operations",
    responses((status = 200, description = "Longest first, at most a hundred", body = AttentionList)),
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

/// Retry an order now.
#[utoipa::path(
    post,
    path = "/v1/ops/orders/{order_id}/retry/",
    tag = "operations",
    params(("order_id" = i64, Path, description = "The id of the order", minimum = 1)),
    request_body = RetryOrder,
    responses(
        (status = 200, description = "The saga continues", body = OrderView),
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
    let mut violations = Violations::default();
    let reason = JsonObject::at(&body, "", &mut violations)
        .and_then(|body| read_reason(&body, &mut violations));
    let reason = violations.finish(reason)?;
    let order = orders
        .resolve(&caller, order_id, Resolution::Retry, reason)
        .await?;
    Ok(Json(OrderView::new(order, &caller)))
}

/// Record that a stuck order was resolved by hand.
#[utoipa::path(
    post,
    path = "/v1/ops/orders/{order_id}/resolve/",
    tag = "operations",
    params(("order_id" = i64, Path, description = "The id of the order", minimum = 1)),
    request_body = ResolveOrder,
    responses(
        (status = 200, description = "The order in its present state", body = OrderView),
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

fn read_reason(body: &JsonObject<'_>, violations: &mut Violations) -> Option<String> {
    let value = body.required("reason", violations)?;
    body.text("reason", value, MAX_REASON_CHARS, violations)
}

fn read_resolution(body: &Value) -> Result<(Resolution, String), Problem> {
    let mut violations = Violations::default();
    let read = JsonObject::at(body, "", &mut violations).and_then(|body| {
        let outcome = body
            .required("outcome", &mut violations)
            .and_then(|value| body.text("outcome", value, 20, &mut violations))
            .and_then(|word| match word.as_str() {
                "completed" => Some(Resolution::Completed),
                "cancelled" => Some(Resolution::Cancelled),
                _ => {
                    let expected = "must be completed or cancelled";
                    violations.add(body.pointer("outcome"), "unknown_value", expected);
                    None
                }
            });
        let reason = read_reason(&body, &mut violations);
        Some((outcome?, reason?))
    });
    violations.finish(read)
}
