//! Validation of staff decisions about an order.

use reqwest::Method;

use super::rows::Row;
use super::{assert_fault, send_json};
use crate::support::app::TestApp;

/// For each field of the two decisions: its pointer and its invalid values.
const REASON: &[(&str, &[&str])] = &[
    ("wrong_type", &["1", "1e400", "true", "[]", "{}", "[\"x\"]"]),
    ("null", &["null"]),
    ("empty", &["\"\"", "\" \"", "\"\\n\""]),
    (
        "control_character",
        &[r#""a\u0000b""#, r#""a\nb""#, r#""\u001b[31m""#],
    ),
];
const OUTCOME: &[(&str, &[&str])] = &[
    ("wrong_type", &["1", "true", "[]", "[\"completed\"]"]),
    ("null", &["null"]),
    ("empty", &["\"\""]),
    ("too_long", &["\"completed-completed-completed\""]),
    (
        "unknown_value",
        &["\"COMPLETED\"", "\"retry\"", "\"delivered\""],
    ),
    ("control_character", &[r#""completed\u0000""#]),
];

#[tokio::test]
async fn invalid_decisions_are_refused_without_effect() {
    let app = TestApp::start().await;
    let order_id = Row::default().insert(&app).await;
    let before = app.staff().details(order_id).await.body;
    let retry = format!("/v1/ops/orders/{order_id}/retry/");
    let resolve = format!("/v1/ops/orders/{order_id}/resolve/");
    let ask = async |path: &str, body: String, field: &str, code: &str| {
        let reply = send_json(&app.staff(), Method::POST, path, body.clone()).await;
        assert_fault(&reply, field, code, &body);
    };
    for (code, values) in REASON {
        for value in *values {
            let body = format!("{{\"outcome\": \"completed\", \"reason\": {value}}}");
            ask(&retry, body.clone(), "/reason", code).await;
            ask(&resolve, body, "/reason", code).await;
        }
    }
    for (code, values) in OUTCOME {
        for value in *values {
            let body = format!("{{\"outcome\": {value}, \"reason\": \"by hand\"}}");
            ask(&resolve, body, "/outcome", code).await;
        }
    }
    let long = format!("{{\"reason\": \"{}\"}}", "x".repeat(501));
    ask(&retry, long, "/reason", "too_long").await;
    ask(&retry, "{}".to_owned(), "/reason", "missing").await;
    let reply = send_json(&app.staff(), Method::POST, &resolve, "{}").await;
    reply.assert_problem(400, "invalid-request");
    assert_eq!(reply.pointers(), ["/outcome", "/reason"]);
    assert_eq!(app.staff().details(order_id).await.body, before);
}

#[tokio::test]
async fn a_decision_about_an_unknown_order_is_404() {
    let app = TestApp::start().await;
    for path in ["/v1/ops/orders/1/retry/", "/v1/ops/orders/1/resolve"] {
        let body = r#"{"outcome": "cancelled", "reason": "by hand"}"#;
        let reply = send_json(&app.staff(), Method::POST, path, body).await;
        reply.assert_problem(404, "not-found");
    }
    for path in ["/v1/ops/orders/x/retry/", "/v1/ops/orders/0/resolve/"] {
        let reply = send_json(&app.staff(), Method::POST, path, "{\"reason\": \"x\"}").await;
        reply.assert_problem(400, "invalid-request");
    }
}
