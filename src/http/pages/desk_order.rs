//! The order page of staff: the state of its saga, the full event log, and the form for a decision.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::Value;

use crate::domain::event::{RecordedEvent, customer_message};
use crate::domain::ids::OrderId;
use crate::domain::saga::Phase;
use crate::domain::step::Step;
use crate::http::attention::MAX_REASON_CHARS;
use crate::http::extract::PathOrder;
use crate::http::problem::Problem;
use crate::http::state::HttpState;
use crate::orders::{self, Resolution, SagaStatus, Tracking};

use super::assets;
use super::display::DisplayTime;
use super::forms::FormFields;
use super::order::OrderViewModel;
use super::render::{page, redirect};
use super::visitor::Visitor;

#[derive(Template)]
#[template(path = "desk_order.html")]
struct DeskOrderPage {
    visitor: Option<Visitor>,
    error: Option<String>,
    order: OrderViewModel,
    customer_id: i64,
    saga: Option<SagaViewModel>,
    events: Vec<AuditEntry>,
    max_chars: usize,
    reason: String,
}

/// The state of a saga.
struct SagaViewModel {
    phase: &'static str,
    step: Option<&'static str>,
    since: DisplayTime,
    due_at: Option<DisplayTime>,
    attempts: i32,
    last_answer: Option<String>,
    key: String,
    is_open: bool,
    is_stuck: bool,
}

/// An event with the details that only staff may see.
struct AuditEntry {
    at: DisplayTime,
    text: &'static str,
    code: String,
    actor: String,
    data: Vec<(String, String)>,
}

/// Shows an order.
pub async fn show(
    State(state): State<HttpState>,
    visitor: Visitor,
    PathOrder(order_id): PathOrder,
) -> Result<Response, Problem> {
    visitor.require_staff()?;
    show_with_error(&state, visitor, order_id, None, "").await
}

/// Applies the decision that the form of the page submits.
pub async fn decide(
    State(state): State<HttpState>,
    visitor: Visitor,
    PathOrder(order_id): PathOrder,
    fields: FormFields,
) -> Result<Response, Problem> {
    visitor.require_staff()?;
    let reason = fields.get("reason");
    let error = match read(&fields) {
        Ok(decision) => {
            let caller = &visitor.principal;
            let decided = state
                .orders
                .resolve(caller, order_id, decision, reason.to_owned());
            match decided.await {
                Ok(_) => return Ok(redirect(&format!("/desk/orders/{order_id}/"))),
                Err(orders::Error::StateConflict(conflict)) => (
                    StatusCode::CONFLICT,
                    format!("Nothing was changed: {conflict}."),
                ),
                Err(error) => return Err(error.into()),
            }
        }
        Err(words) => (StatusCode::BAD_REQUEST, words),
    };
    show_with_error(&state, visitor, order_id, Some(error), reason).await
}

fn read(fields: &FormFields) -> Result<Resolution, String> {
    let reason = fields.get("reason");
    let fits = (1..=MAX_REASON_CHARS).contains(&reason.chars().count());
    if !fits || reason.contains(char::is_control) {
        return Err(format!(
            "Nothing was changed: say why, in one line of at most {MAX_REASON_CHARS} characters."
        ));
    }
    match fields.get("decision") {
        "retry" => Ok(Resolution::Retry),
        "completed" => Ok(Resolution::Completed),
        "cancelled" => Ok(Resolution::Cancelled),
        _ => Err("Nothing was changed: choose what to do.".to_owned()),
    }
}

async fn show_with_error(
    state: &HttpState,
    visitor: Visitor,
    order_id: OrderId,
    error: Option<(StatusCode, String)>,
    reason: &str,
) -> Result<Response, Problem> {
    let caller = &visitor.principal;
    let Tracking { order, events } = state.orders.tracking(caller, order_id).await?;
    let saga = state.orders.saga_status(caller, order_id).await?;
    let (status, error) = error.unzip();
    let mut response = page(&DeskOrderPage {
        error,
        customer_id: order.customer_id.0,
        order: OrderViewModel::new(&order, &visitor),
        saga: saga.map(SagaViewModel::from),
        events: events.into_iter().rev().map(AuditEntry::from).collect(),
        max_chars: MAX_REASON_CHARS,
        reason: reason.to_owned(),
        visitor: Some(visitor),
    });
    if let Some(status) = status {
        *response.status_mut() = status;
    }
    Ok(response)
}

impl From<SagaStatus> for SagaViewModel {
    fn from(saga: SagaStatus) -> Self {
        Self {
            is_open: Phase::OPEN.contains(&saga.phase),
            is_stuck: saga.phase == Phase::Stuck,
            phase: saga.phase.as_str(),
            step: saga.step.map(Step::as_str),
            since: saga.since.into(),
            due_at: saga.due_at.map(DisplayTime::from),
            attempts: saga.attempts,
            last_answer: saga.last_answer,
            key: saga.identity.to_string(),
        }
    }
}

impl From<RecordedEvent> for AuditEntry {
    fn from(event: RecordedEvent) -> Self {
        let data = match event.data {
            Value::Object(fields) => fields,
            _ => serde_json::Map::new(),
        };
        let data = data.into_iter().map(|(name, value)| (name, text(value)));
        Self {
            at: event.at.into(),
            text: customer_message(&event.code),
            data: data.collect(),
            code: event.code,
            actor: event.actor,
        }
    }
}

fn text(value: Value) -> String {
    match value {
        Value::String(text) => text,
        other => other.to_string(),
    }
}
