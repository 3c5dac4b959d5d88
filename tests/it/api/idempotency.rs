//! Idempotency keys: one key stands for one order.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use reqwest::Method;
use sandbox::{Fault, Kind, Operation};
use serde_json::json;

use super::{AT_REST, CREATE, assert_fault, assert_untouched, send_json, whole_cart};
use crate::support::app::TestApp;
use crate::support::client::{cart, send};
use crate::support::ledger::{all_orders, violations};
use crate::support::service::eventually;

#[tokio::test]
async fn the_same_key_and_body_yield_one_order_and_one_charge() {
    let app = TestApp::with(AT_REST).await;
    let customer = app.customer(5);
    let first = customer.place_with_key("key-1", &whole_cart()).await;
    assert_eq!(first.status, 201, "{first:?}");
    assert_eq!(first.header("idempotent-replayed"), None);
    for _ in 0..3 {
        let again = customer.place_with_key("key-1", &whole_cart()).await;
        assert_eq!((again.status, &again.body), (201, &first.body));
        assert_eq!(again.header("idempotent-replayed"), Some("true"));
        assert_eq!(again.header("location"), first.header("location"));
    }
    assert_eq!(app.stored_orders().await, 1);
    assert_eq!(app.sandbox.ledger().charges.len(), 1);
}

#[tokio::test]
async fn equivalent_json_is_the_same_request() {
    let app = TestApp::start().await;
    let customer = app.customer(5);
    let bodies = [
        r#"{"customer_id":5,"items":[{"sku":"SKU0001","quantity":1,"unit_price":"1.00"}]}"#,
        r#"{"items":[{"unit_price":"1.00","quantity":1,"sku":"SKU0001"}],"customer_id":5}"#,
        "{ \"items\": [\n{ \"sku\": \"\\u0053KU0001\", \"quantity\": 1, \"unit_price\": \"1.00\" } ],\n\
         \"customer_id\": 5 }\n",
    ];
    let mut orders = BTreeSet::new();
    for body in bodies {
        let request = customer
            .request(Method::POST, CREATE)
            .header("idempotency-key", "key-1")
            .header("content-type", "application/json");
        let reply = send(request.body(body)).await;
        assert_eq!(reply.status, 201, "{reply:?}");
        orders.insert(reply.order_id());
    }
    assert_eq!(orders.len(), 1);
}

#[tokio::test]
async fn a_reused_key_with_another_body_is_refused() {
    let app = TestApp::with(AT_REST).await;
    let customer = app.customer(5);
    customer.place_with_key("key-1", &whole_cart()).await;
    let before = app.peer_calls();
    for body in [cart("SKU0001", 1, "1.00"), cart("SKU0001", 2, "1.00")] {
        let reply = customer.place_with_key("key-1", &body).await;
        reply.assert_problem(422, "idempotency-key-reused");
    }
    // Validation runs first: an invalid body does not consume the key.
    let reply = customer.place_with_key("key-1", &json!({})).await;
    assert_fault(&reply, "/items", "missing", "{}");
    assert_eq!((app.stored_orders().await, app.peer_calls()), (1, before));
}

#[tokio::test]
async fn idempotency_keys_are_scoped_to_the_caller() {
    let app = TestApp::start().await;
    let body = cart("SKU0001", 1, "1.00");
    let mut orders = BTreeSet::new();
    for client in [app.customer(5), app.customer(6), app.customer(1000)] {
        let reply = client.place_with_key("key-1", &body).await;
        assert_eq!(
            (reply.status, reply.header("idempotent-replayed")),
            (201, None)
        );
        orders.insert(reply.order_id());
    }
    // A staff member and a customer with the same id are different callers.
    let reply = app.staff().place_with_key("key-1", &body).await;
    assert_eq!(
        (reply.status, reply.header("idempotent-replayed")),
        (201, None)
    );
    orders.insert(reply.order_id());
    assert_eq!(orders.len(), 4);
}

#[tokio::test]
async fn idempotency_keys_are_compared_exactly() {
    let app = TestApp::start().await;
    let longest = "k".repeat(255);
    let mut orders = BTreeSet::new();
    let keys = [
        "key-1",
        "KEY-1",
        "key_1",
        "key-1\"",
        "two%20words",
        "two+words",
        "';drop/**/table/**/orders;--",
        "%",
        &longest,
    ];
    for key in keys {
        let reply = app.customer(5).place_with_key(key, &whole_cart()).await;
        assert_eq!(reply.status, 201, "{key}: {reply:?}");
        orders.insert(reply.order_id());
    }
    assert_eq!(orders.len(), keys.len());
}

#[tokio::test]
async fn without_a_key_every_request_is_an_order() {
    let app = TestApp::start().await;
    for _ in 0..2 {
        assert_eq!(app.customer(5).place(&whole_cart()).await.status, 201);
    }
    assert_eq!(app.stored_orders().await, 2);
}

#[tokio::test]
async fn twenty_concurrent_copies_are_one_order() {
    let app = TestApp::start().await;
    let customer = app.customer(5);
    let body = whole_cart();
    let replies = join_all((0..20).map(|_| customer.place_with_key("key-1", &body))).await;
    let order_id = replies[0].order_id();
    for reply in &replies {
        assert_eq!(
            (reply.status, reply.order_id()),
            (201, order_id),
            "{reply:?}"
        );
        assert_eq!(reply.body["order_status"], "CONFIRMED");
    }
    let firsts = replies
        .iter()
        .filter(|reply| reply.header("idempotent-replayed").is_none());
    assert_eq!(firsts.count(), 1);
    assert_eq!(app.stored_orders().await, 1);
    let ledger = app.sandbox.ledger();
    assert_eq!((ledger.charges.len(), ledger.shipments.len()), (1, 1));
    assert_eq!(
        violations(&all_orders(&app.staff()).await, &ledger),
        [""; 0]
    );
}

#[tokio::test]
async fn an_invalid_idempotency_key_is_refused() {
    let app = TestApp::start().await;
    let long = "k".repeat(256);
    for key in [
        &b""[..],
        b" ",
        b"two words",
        b"'; drop table orders; --",
        b"a\tb",
        b"k\xff",
        "schlüssel".as_bytes(),
        long.as_bytes(),
    ] {
        let request = app
            .customer(5)
            .request(Method::POST, CREATE)
            .header("idempotency-key", key);
        let reply = send(request.json(&whole_cart())).await;
        let sent = String::from_utf8_lossy(key).into_owned();
        assert_fault(&reply, "/Idempotency-Key", "malformed", &sent);
        assert_eq!(reply.body["errors"][0]["location"], "header");
    }
    let twice = app
        .customer(5)
        .request(Method::POST, CREATE)
        .header("idempotency-key", "a")
        .header("idempotency-key", "b");
    let reply = send(twice.json(&whole_cart())).await;
    assert_fault(&reply, "/Idempotency-Key", "malformed", "two keys");
    assert_untouched(&app).await;
}

#[tokio::test]
async fn a_replayed_refusal_names_the_same_order() {
    let app = TestApp::with(AT_REST).await;
    let customer = app.customer(5);
    for (key, sku, price, status, code) in [
        ("declined", "SKU0001", "402.00", 402, "payment-declined"),
        ("sold-out", "OUT-OF-STOCK", "1.00", 409, "out-of-stock"),
    ] {
        let body = cart(sku, 1, price);
        let first = customer.place_with_key(key, &body).await;
        first.assert_problem(status, code);
        let calls = app.peer_calls();
        let again = customer.place_with_key(key, &body).await;
        again.assert_problem(status, code);
        assert_eq!(again.header("idempotent-replayed"), Some("true"));
        assert_eq!(again.order_id(), first.order_id());
        assert_eq!(again.body["order"], first.body["order"]);
        assert_eq!(app.peer_calls(), calls);
    }
    assert_eq!(app.stored_orders().await, 2);
}

#[tokio::test]
async fn an_invalid_request_does_not_consume_its_key() {
    let app = TestApp::start().await;
    let customer = app.customer(5);
    let bad = cart("SKU0001", 0, "1.00");
    assert_eq!(customer.place_with_key("key-1", &bad).await.status, 400);
    let reply = send_json(&customer, Method::POST, CREATE, "{").await;
    assert_eq!(reply.status, 400);
    let good = customer.place_with_key("key-1", &whole_cart()).await;
    assert_eq!(
        (good.status, good.header("idempotent-replayed")),
        (201, None)
    );
}

#[tokio::test]
async fn a_replay_of_an_open_order_reports_it_and_starts_nothing() {
    let app = TestApp::with(&[("SETTLE_WAIT_MS", "0")]).await;
    app.sandbox
        .set_fault(Fault::new(Operation::Charge, Kind::ErrorBefore));
    let customer = app.customer(5);
    let first = customer.place_with_key("key-1", &whole_cart()).await;
    assert_eq!(
        (first.status, &first.body["order_status"]),
        (202, &json!("PENDING"))
    );
    for _ in 0..3 {
        let again = customer.place_with_key("key-1", &whole_cart()).await;
        assert_eq!(
            (again.status, again.order_id()),
            (202, first.order_id()),
            "{again:?}"
        );
        assert_eq!(again.header("idempotent-replayed"), Some("true"));
    }
    app.sandbox.clear_faults();
    let settled = eventually("the order is confirmed", async || {
        let again = customer.place_with_key("key-1", &whole_cart()).await;
        (again.status == 201).then_some(again)
    })
    .await;
    assert_eq!(settled.body["order_status"], "CONFIRMED");
    let orders = all_orders(&app.staff()).await;
    assert_eq!(orders.len(), 1);
    assert_eq!(violations(&orders, &app.sandbox.ledger()), [""; 0]);
}

#[tokio::test]
async fn a_replay_shows_the_current_order() {
    let app = TestApp::start().await;
    let customer = app.customer(5);
    let first = customer.place_with_key("key-1", &whole_cart()).await;
    assert_eq!(customer.cancel(first.order_id()).await.status, 200);
    let again = customer.place_with_key("key-1", &whole_cart()).await;
    assert_eq!(
        (again.status, again.order_id()),
        (201, first.order_id()),
        "{again:?}"
    );
    assert_eq!(again.body["order_status"], "CANCELLED");
}

#[tokio::test]
async fn a_replay_succeeds_after_the_validation_rules_changed() {
    let mut app = TestApp::with(AT_REST).await;
    let mut body = cart("SKU0001", 1, "10.00");
    body["currency"] = json!("USD");
    let first = app.customer(5).place_with_key("key-1", &body).await;
    assert_eq!(first.status, 201, "{first:?}");
    app.set("CURRENCY", "EUR");
    app.restart().await;
    let again = app.customer(5).place_with_key("key-1", &body).await;
    assert_eq!(
        (again.status, again.order_id()),
        (201, first.order_id()),
        "{again:?}"
    );
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    let other = app.customer(5).place_with_key("key-2", &body).await;
    assert_fault(&other, "/currency", "unknown_value", "EUR shop");
}

#[tokio::test]
async fn a_cancel_key_reused_for_another_order_is_refused() {
    let app = TestApp::with(AT_REST).await;
    let customer = app.customer(5);
    let first = customer.place(&whole_cart()).await.order_id();
    let second = customer.place(&whole_cart()).await.order_id();
    let cancel = async |order_id: i64, key: &str| {
        let path = format!("/v1/orders/{order_id}/cancel/");
        send(
            customer
                .request(Method::POST, &path)
                .header("idempotency-key", key),
        )
        .await
    };
    let fresh = cancel(first, "key-1").await;
    assert_eq!(
        (fresh.status, fresh.header("idempotent-replayed")),
        (200, None),
        "{fresh:?}"
    );
    let again = cancel(first, "key-1").await;
    assert_eq!(
        (again.status, again.header("idempotent-replayed")),
        (200, Some("true"))
    );
    cancel(second, "key-1")
        .await
        .assert_problem(422, "idempotency-key-reused");
    assert_eq!(
        customer.details(second).await.body["order_status"],
        "CONFIRMED"
    );
    let malformed = cancel(second, &"k".repeat(256)).await;
    malformed.assert_problem(400, "invalid-request");
    assert_eq!(malformed.pointers(), ["/Idempotency-Key"]);
    assert_eq!(app.sandbox.ledger().refunds.len(), 1);
}
