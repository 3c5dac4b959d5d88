//! Invalid values for every field of an update, and a cancel with an unexpected body.

use reqwest::Method;
use serde_json::json;

use super::rows::Row;
use super::{assert_fault, send_json};
use crate::support::app::TestApp;
use crate::support::client::cart;

const FIELDS: [&str; 3] = ["order_status", "payment_status", "shipping_status"];

#[tokio::test]
async fn an_invalid_status_is_refused_without_effect() {
    let app = TestApp::start().await;
    let order_id = Row::default().insert(&app).await;
    let path = format!("/v1/orders/{order_id}/update/");
    let before = app.staff().details(order_id).await.body;
    let long = format!("\"{}\"", "X".repeat(41));
    for field in FIELDS {
        for (code, values) in [
            (
                "wrong_type",
                &["1", "1e400", "true", "[]", "{}", "[\"SHIPPED\"]"][..],
            ),
            ("empty", &["\"\"", "\"  \""]),
            ("too_long", &[&long]),
            (
                "control_character",
                &[r#""SHIPPED\u0000""#, r#""SHIP\nPED""#, r#""\u001bSHIPPED""#],
            ),
            (
                "unknown_value",
                &[
                    "\"STOLEN\"",
                    "\"SHIPPED,DELIVERED\"",
                    "\"ſHIPPED\"",
                    "\"0\"",
                    "\"null\"",
                ],
            ),
        ] {
            for value in values {
                let body = format!("{{\"{field}\": {value}}}");
                let reply = send_json(&app.staff(), Method::PATCH, &path, body.clone()).await;
                assert_fault(&reply, &format!("/{field}"), code, &body);
            }
        }
    }
    assert_eq!(app.staff().details(order_id).await.body, before);
    assert_eq!(app.peer_calls(), 0);
}

#[tokio::test]
async fn an_update_needs_at_least_one_status() {
    let app = TestApp::start().await;
    let order_id = Row::default().insert(&app).await;
    let path = format!("/v1/orders/{order_id}/update/");
    for body in [
        json!({}),
        json!({ "status": "SHIPPED" }),
        json!({ "order_status": null, "payment_status": null, "shipping_status": null }),
    ] {
        let reply = app.staff().patch(&path, &body).await;
        assert_fault(&reply, "", "missing", &body.to_string());
    }
}

#[tokio::test]
async fn all_violations_of_an_update_are_reported_at_once() {
    let app = TestApp::start().await;
    let order_id = Row::default().insert(&app).await;
    let path = format!("/v1/orders/{order_id}/update/");
    let body = json!({ "order_status": 1, "payment_status": "", "shipping_status": "LOST" });
    let reply = app.staff().patch(&path, &body).await;
    reply.assert_problem(400, "invalid-request");
    assert_eq!(
        reply.pointers(),
        ["/order_status", "/payment_status", "/shipping_status"]
    );
}

#[tokio::test]
async fn statuses_in_updates_are_case_insensitive() {
    let app = TestApp::start().await;
    let order_id = Row::default().insert(&app).await;
    let path = format!("/v1/orders/{order_id}/update/");
    let reply = app
        .service()
        .patch(&path, &json!({ "shipping_status": " in_transit " }))
        .await;
    assert_eq!(reply.status, 200, "{reply:?}");
    assert_eq!(reply.body["shipping_status"], "SHIPPED");
    assert_eq!(reply.body["order_status"], "SHIPPED");
}

#[tokio::test]
async fn an_invalid_transition_is_refused_with_409() {
    let app = TestApp::start().await;
    let cancelled = Row {
        order_status: "CANCELLED",
        payment_status: "REFUNDED",
        shipping_status: "CANCELLED",
        ..Row::default()
    };
    let order_id = cancelled.insert(&app).await;
    let path = format!("/v1/orders/{order_id}/update/");
    for body in [
        json!({ "order_status": "SHIPPED" }),
        json!({ "shipping_status": "DELIVERED" }),
    ] {
        let reply = app.staff().patch(&path, &body).await;
        reply.assert_problem(409, "invalid-transition");
    }
    let paid = Row::default().insert(&app).await;
    let reply = app
        .staff()
        .patch(
            &format!("/v1/orders/{paid}/update/"),
            &json!({ "payment_status": "FAILED" }),
        )
        .await;
    reply.assert_problem(409, "invalid-transition");
    let repeat = app
        .staff()
        .patch(&path, &json!({ "shipping_status": "PACKED" }))
        .await;
    assert_eq!(repeat.status, 200, "late news are harmless: {repeat:?}");
}

#[tokio::test]
async fn a_cancel_ignores_its_body() {
    let app = TestApp::start().await;
    let bodies: [(&str, &[u8]); 5] = [
        ("application/json", b"{\"reason\": \"changed my mind\"}"),
        ("application/json", b"{"),
        ("application/json", b"[\"\\u0000\", 1e400]"),
        ("text/plain", b"\xff\x00"),
        ("application/x-www-form-urlencoded", b"order_id=2"),
    ];
    for (content_type, body) in bodies {
        let placed = app.customer(5).place(&cart("SKU0001", 1, "10.00")).await;
        let path = format!("/v1/orders/{}/cancel/", placed.order_id());
        let request = app
            .customer(5)
            .request(Method::POST, &path)
            .header("content-type", content_type);
        let reply = crate::support::client::send(request.body(body.to_vec())).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        assert_eq!(reply.body["order_status"], "CANCELLED");
    }
}
