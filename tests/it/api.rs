//! The HTTP API from the client's side: accepted requests, refusals and their error responses.

mod bad_creates;
mod bad_decisions;
mod bad_documents;
mod bad_queries;
mod bad_updates;
mod batching;
mod conditional;
mod configuration;
mod cursors;
mod docs;
mod events;
mod export;
mod filters;
mod health;
mod idempotency;
mod line_names;
mod metrics;
mod ownership;
mod pagination;
mod paths;
mod public_keys;
mod random;
mod rows;
mod search;
mod tokens;
mod transport;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::client::{Client, Reply, send};

/// The route that places an order.
const CREATE: &str = "/v1/orders/create/";

/// Turns parcel tracking off, so that a settled order does not change.
const AT_REST: &[(&str, &str)] = &[("FOLLOW_INTERVAL_MS", "86400000")];

/// Sends these bytes as JSON.
async fn send_json(client: &Client, method: Method, path: &str, body: impl Into<Vec<u8>>) -> Reply {
    let request = client
        .request(method, path)
        .header("content-type", "application/json");
    send(request.body(body.into())).await
}

/// A body with every field.
fn whole_cart() -> Value {
    json!({
        "customer_id": 5,
        "currency": "USD",
        "payment_method": "CARD",
        "shipping_address": "1 Main Street, Springfield",
        "items": [
            { "product_id": 17, "sku": "SKU0001", "quantity": 2, "unit_price": "100.00" },
            { "product_id": 18, "sku": "SKU0002", "quantity": 1, "unit_price": 50.0 },
        ],
    })
}

/// The document with another JSON value at `pointer`.
fn with(mut document: Value, pointer: &str, value: &str) -> Value {
    *document.pointer_mut(pointer).unwrap() = serde_json::from_str(value).unwrap();
    document
}

/// The document without the field at `pointer`.
fn without(mut document: Value, pointer: &str) -> Value {
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    let parent = document.pointer_mut(parent).unwrap();
    parent.as_object_mut().unwrap().remove(name).unwrap();
    document
}

/// Fails unless the response reports exactly this violation.
#[track_caller]
fn assert_fault(reply: &Reply, pointer: &str, code: &str, sent: &str) {
    reply.assert_problem(400, "invalid-request");
    let errors: Vec<_> = reply.body["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| {
            (
                error["pointer"].as_str().unwrap(),
                error["code"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(errors, [(pointer, code)], "for {sent}: {}", reply.text);
    let detail = reply.body["detail"].as_str().unwrap();
    assert_eq!(detail.trim(), detail);
}

/// Fails if anything was stored, or a peer was called.
async fn assert_untouched(app: &TestApp) {
    assert_eq!(app.stored_orders().await, 0, "stored");
    assert_eq!(app.database.count("idempotency_keys").await, 0, "keys");
    assert_eq!(app.peer_calls(), 0, "peers called");
}
