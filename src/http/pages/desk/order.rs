//! An order as staff see it: where its fulfilment stands and why, and what can be decided about it.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::Value;

use crate::domain::event::{RecordedEvent, customer_message};
use crate::domain::ids::OrderId;
use crate::domain::saga::Phase;
use crate::domain::step::Step;
use crate::http::Shared;
use crate::http::attention::MAX_REASON_CHARS;
use crate::http::extract::PathOrder;
use crate::http::problem::Problem;
use crate::orders::{Error, Resolution, SagaStatus, Tracking};

use super::super::forms::{Fields, Form};
use super::super::order::{OrderShown, shown};
use super::super::session::Visitor;
use super::super::words::Moment;
use super::super::{assets, page, redirect};
use super::for_staff;

#[derive(Template)]
#[template(path = "desk_order.html")]
struct Page {
    visitor: Option<Visitor>,
    proof: String,
    trouble: Option<String>,
    order: OrderShown,
    customer_id: i64,
    standing: Option<StandingShown>,
    events: Vec<EventShown>,
    max_chars: usize,
    reason: String,
}

/// Where a fulfilment stands.
struct StandingShown {
    phase: &'static str,
    step: Option<&'static str>,
    since: Moment,
    due_at: Option<Moment>,
    attempts: i32,
    last_answer: Option<String>,
    key: String,
    is_open: bool,
    is_stuck: bool,
}

/// An event with what is for staff alone.
struct EventShown {
    at: Moment,
    text: &'static str,
    code: String,
    actor: String,
    data: Vec<(String, String)>,
}

/// An order.
pub async fn show(
    State(shared): State<Shared>,
    visitor: Visitor,
    PathOrder(order_id): PathOrder,
) -> Result<Response, Problem> {
    for_staff(&visitor)?;
    with_trouble(&shared, visitor, order_id, None, "").await
}

/// Takes a decision, as the form of the page sends it.
pub async fn decide(
    State(shared): State<Shared>,
    PathOrder(order_id): PathOrder,
    Form { visitor, fields }: Form,
) -> Result<Response, Problem> {
    for_staff(&visitor)?;
    let reason = fields.get("reason");
    let trouble = match read(&fields) {
        Ok(decision) => {
            let caller = &visitor.principal;
            let decided = shared
                .orders
                .resolve(caller, order_id, decision, reason.to_owned());
            match decided.await {
                Ok(_) => return Ok(redirect(&format!("/desk/orders/{order_id}/"))),
                Err(Error::StateConflict(conflict)) => (
                    StatusCode::CONFLICT,
                    format!("Nothing was changed: {conflict}."),
                ),
                Err(error) => return Err(error.into()),
            }
        }
        Err(words) => (StatusCode::BAD_REQUEST, words),
    };
    with_trouble(&shared, visitor, order_id, Some(trouble), reason).await
}

fn read(fields: &Fields) -> Result<Resolution, String> {
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

async fn with_trouble(
    shared: &Shared,
    visitor: Visitor,
    order_id: OrderId,
    trouble: Option<(StatusCode, String)>,
    reason: &str,
) -> Result<Response, Problem> {
    let caller = &visitor.principal;
    let Tracking { order, events } = shared.orders.tracking(caller, order_id).await?;
    let standing = shared.orders.saga_status(caller, order_id).await?;
    let (status, trouble) = trouble.unzip();
    let mut response = page(&Page {
        proof: visitor.proof.clone(),
        trouble,
        customer_id: order.customer_id.0,
        order: shown(&order, &visitor),
        standing: standing.map(StandingShown::from),
        events: events.into_iter().rev().map(EventShown::from).collect(),
        max_chars: MAX_REASON_CHARS,
        reason: reason.to_owned(),
        visitor: Some(visitor),
    });
    if let Some(status) = status {
        *response.status_mut() = status;
    }
    Ok(response)
}

impl From<SagaStatus> for StandingShown {
    fn from(standing: SagaStatus) -> Self {
        Self {
            is_open: Phase::OPEN.contains(&standing.phase),
            is_stuck: standing.phase == Phase::Stuck,
            phase: standing.phase.as_str(),
            step: standing.step.map(Step::as_str),
            since: standing.since.into(),
            due_at: standing.due_at.map(Moment::from),
            attempts: standing.attempts,
            last_answer: standing.last_answer,
            key: standing.identity.to_string(),
        }
    }
}

impl From<RecordedEvent> for EventShown {
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
