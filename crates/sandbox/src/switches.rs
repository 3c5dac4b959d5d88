//! Routes of every stand-in: the ledger and the fault switches.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Map, Value, json};

use super::fault::{Fault, Kind};
use super::hub::Hub;
use super::incoming::{Incoming, OrderFilter};
use super::ledger::Ledger;
use super::operation::Operation;
use super::reply::Refusal;

/// Upper limit of a delay, which catches typing errors.
const MAX_DELAY_MS: u64 = 600_000;

/// The routes `/sandbox/ledger` and `/sandbox/faults`.
pub(super) fn routes() -> Router<Hub> {
    Router::new().route("/sandbox/ledger", get(ledger)).route(
        "/sandbox/faults",
        get(faults).post(set_fault).delete(clear_faults),
    )
}

async fn ledger(State(hub): State<Hub>, OrderFilter(order): OrderFilter) -> Json<Ledger> {
    Json(hub.read(|state| Ledger::of(state, order)))
}

async fn faults(State(hub): State<Hub>) -> Json<Value> {
    Json(json!({ "faults": hub.faults().active() }))
}

async fn set_fault(State(hub): State<Hub>, incoming: Incoming) -> Result<Response, Refusal> {
    // Parsed as untyped JSON, so that the response lists every mistake at once.
    match fault(&incoming.read()?) {
        Ok(fault) => {
            hub.faults().set(fault);
            Ok((StatusCode::CREATED, faults(State(hub)).await).into_response())
        }
        Err(mistakes) => {
            let body = json!({ "detail": mistakes.join("; "), "allowed": allowed() });
            Ok((StatusCode::BAD_REQUEST, Json(body)).into_response())
        }
    }
}

async fn clear_faults(State(hub): State<Hub>) -> StatusCode {
    hub.faults().clear();
    StatusCode::NO_CONTENT
}

/// The accepted fields and values of a fault.
fn allowed() -> Value {
    let operations: Vec<&str> = Operation::ALL
        .into_iter()
        .map(Operation::name)
        .chain(["*"])
        .collect();
    json!({
        "operation": operations,
        "kind": Kind::ALL.map(|(name, _)| name),
        "delay_ms": format!("1 to {MAX_DELAY_MS}; needed for delay, and a wait first for any other kind"),
        "rate": "0 to 1, the share of calls; 1 if left out",
        "times": "only the next so many calls; without end if left out",
    })
}

/// Parses a fault, or lists everything that is wrong with it.
fn fault(value: &Value) -> Result<Fault, Vec<String>> {
    let Some(fields) = value.as_object() else {
        return Err(vec!["a fault is a JSON object".to_owned()]);
    };
    let mut mistakes = Vec::new();
    for name in fields.keys() {
        if !["operation", "kind", "delay_ms", "rate", "times"].contains(&name.as_str()) {
            mistakes.push(format!("{name} is no part of a fault"));
        }
    }
    let operation = read(fields, "operation", &mut mistakes, |text| match text {
        "*" => Some(None),
        name => Operation::named(name).map(Some),
    });
    let kind = read(fields, "kind", &mut mistakes, |text| {
        Kind::ALL
            .iter()
            .find(|(name, _)| *name == text)
            .map(|(_, kind)| *kind)
    });
    let delay_ms = read(fields, "delay_ms", &mut mistakes, |text| {
        text.parse()
            .ok()
            .filter(|ms| (1..=MAX_DELAY_MS).contains(ms))
    });
    let rate = read(fields, "rate", &mut mistakes, |text| {
        text.parse().ok().filter(|rate| (0.0..=1.0).contains(rate))
    });
    let times = read(fields, "times", &mut mistakes, |text| {
        text.parse().ok().filter(|times| *times > 0_u32)
    });
    if !fields.contains_key("operation") {
        mistakes.push("operation is missing".to_owned());
    }
    match (kind, delay_ms) {
        (None | Some(Kind::Delay), None) if mistakes.is_empty() => {
            mistakes.push("a kind, or delay_ms for a delay, is missing".to_owned());
        }
        (Some(kind), _) if operation.flatten().is_some_and(|one| !kind.applies_to(one)) => {
            mistakes.push("this kind is not for this operation".to_owned());
        }
        _ => {}
    }
    if !mistakes.is_empty() {
        return Err(mistakes);
    }
    Ok(Fault {
        operation: operation.flatten(),
        kind: kind.unwrap_or(Kind::Delay),
        delay_ms: delay_ms.unwrap_or(0),
        rate: rate.unwrap_or(1.0),
        times,
    })
}

/// One field, given as a string or a number; null counts as absent.
fn read<T>(
    fields: &Map<String, Value>,
    name: &str,
    mistakes: &mut Vec<String>,
    parse: impl FnOnce(&str) -> Option<T>,
) -> Option<T> {
    let parsed = match fields.get(name)? {
        Value::Null => return None,
        Value::String(text) => parse(text),
        Value::Number(number) => parse(number.as_str()),
        _ => None,
    };
    if parsed.is_none() {
        mistakes.push(format!("{name} has a value that is not allowed"));
    }
    parsed
}
