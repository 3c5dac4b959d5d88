//! The events of an order as a list.

use reqwest::Method;
use serde_json::{Value, json};

use super::{AT_REST, whole_cart};
use crate::support::app::TestApp;
use crate::support::client::send;
use crate::support::subscriber;

fn seqs(body: &Value) -> Vec<i64> {
    let results = body["results"].as_array().unwrap();
    let seq = |event: &Value| event["seq"].as_i64().unwrap();
    results.iter().map(seq).collect()
}

#[tokio::test]
async fn events_are_paginated_with_links() {
    let app = TestApp::with(AT_REST).await;
    let customer = app.customer(5);
    let order_id = customer.place(&whole_cart()).await.order_id();
    let path = format!("/v1/orders/{order_id}/events/");
    let all = customer.get(&path).await.body;
    assert_eq!(seqs(&all), [1, 2, 3, 4, 5]);
    assert_eq!((&all["version"], &all["next"]), (&json!(5), &Value::Null));
    assert_eq!(all["order_id"], json!(order_id));
    let first = &all["results"][0];
    assert_eq!(first["code"], "order_placed");
    assert_eq!(first["text"], "We received your order.");
    assert_eq!(first["actor"], "customer");
    let mut next = format!("{path}?limit=2");
    let mut found = Vec::new();
    loop {
        let part = customer.get(&next).await.body;
        assert!(seqs(&part).len() <= 2);
        found.extend(part["results"].as_array().unwrap().clone());
        match part["next"].as_str() {
            Some(url) => next = url.replace(&app.base, ""),
            None => break,
        }
    }
    assert_eq!(json!(found), all["results"]);
    let after = customer.get(&format!("{path}?after=4")).await.body;
    assert_eq!(seqs(&after), [5]);
    assert!(seqs(&customer.get(&format!("{path}?after=99")).await.body).is_empty());
}

#[tokio::test]
async fn details_of_events_are_for_staff() {
    let app = TestApp::with(AT_REST).await;
    let order_id = app.customer(5).place(&whole_cart()).await.order_id();
    let path = format!("/v1/orders/{order_id}/events/");
    let reserved = |body: &Value| body["results"][1].clone();
    let seen_by_staff = reserved(&app.staff().get(&path).await.body);
    assert!(seen_by_staff["data"]["reservation_id"].is_string());
    for client in [app.customer(5), app.service()] {
        assert_eq!(reserved(&client.get(&path).await.body).get("data"), None);
    }
}

#[tokio::test]
async fn all_violations_of_an_event_query_are_reported_at_once() {
    let app = TestApp::with(AT_REST).await;
    let customer = app.customer(5);
    let order_id = customer.place(&whole_cart()).await.order_id();
    let path = format!("/v1/orders/{order_id}/events/?after=-1&limit=501&page=2");
    let reply = customer.get(&path).await;
    reply.assert_problem(400, "invalid-request");
    assert_eq!(reply.pointers(), ["/page", "/after", "/limit"]);
    for last in ["", "x", "-1", "2147483648"] {
        let request = subscriber::request(&customer, order_id, None);
        let reply = send(request.header("last-event-id", last)).await;
        reply.assert_problem(400, "invalid-request");
        assert_eq!(reply.pointers(), ["/Last-Event-ID"]);
    }
}

#[tokio::test]
async fn without_accepting_a_stream_the_client_gets_a_list() {
    let app = TestApp::with(AT_REST).await;
    let customer = app.customer(5);
    let order_id = customer.place(&whole_cart()).await.order_id();
    let path = format!("/v1/orders/{order_id}/events/");
    for accept in ["*/*", "application/json", "text/event-stream;q=0, */*"] {
        let request = customer.request(Method::GET, &path);
        let reply = send(request.header("accept", accept)).await;
        assert_eq!(reply.header("content-type"), Some("application/json"));
        assert_eq!(reply.header("vary"), Some("accept"));
    }
}
