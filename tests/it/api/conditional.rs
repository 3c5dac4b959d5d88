//! Optimistic concurrency with entity tags: `If-None-Match` saves transfers, `If-Match` prevents
//! lost updates.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};

use super::{AT_REST, whole_cart};
use crate::support::app::TestApp;
use crate::support::client::{Client, Reply, send};
use crate::support::service::eventually;

const READS: [&str; 3] = ["details", "tracking", "events"];

async fn read(client: &Client, order_id: i64, what: &str, known: Option<&str>) -> Reply {
    let path = format!("/v1/orders/{order_id}/{what}/");
    let request = client.request(Method::GET, &path);
    send(match known {
        Some(known) => request.header("if-none-match", known),
        None => request,
    })
    .await
}

async fn tag(client: &Client, order_id: i64) -> String {
    let reply = read(client, order_id, "details", None).await;
    reply.header("etag").unwrap().to_owned()
}

async fn update(client: &Client, order_id: i64, tag: &str, shipping_status: &str) -> Reply {
    let path = format!("/v1/orders/{order_id}/update/");
    let request = client
        .request(Method::PATCH, &path)
        .header("if-match", tag)
        .json(&json!({ "shipping_status": shipping_status }));
    send(request).await
}

async fn cancel(client: &Client, order_id: i64, tag: &str, key: Option<&str>) -> Reply {
    let path = format!("/v1/orders/{order_id}/cancel/");
    let request = client.request(Method::POST, &path).header("if-match", tag);
    send(match key {
        Some(key) => request.header("idempotency-key", key),
        None => request,
    })
    .await
}

fn assert_changed(reply: &Reply, version: i64, tag: &str) {
    reply.assert_problem(412, "precondition-failed");
    assert_eq!(reply.body["current_version"], json!(version), "{reply:?}");
    assert_eq!(reply.header("etag"), Some(tag));
}

#[tokio::test]
async fn an_unchanged_representation_is_a_304() {
    let app = TestApp::with(AT_REST).await;
    let customer = app.customer(5);
    let order_id = customer.place(&whole_cart()).await.order_id();
    for what in READS {
        let first = read(&customer, order_id, what, None).await;
        let tag = first.header("etag").unwrap().to_owned();
        assert!(tag.starts_with('"') && tag.ends_with('"'), "strong: {tag}");
        assert_eq!(first.header("cache-control"), Some("private, no-cache"));
        for known in [
            tag.clone(),
            format!("W/{tag}"),
            format!("\"a,b\", {tag}"),
            "*".to_owned(),
        ] {
            let again = read(&customer, order_id, what, Some(&known)).await;
            assert_eq!((again.status, again.text.as_str()), (304, ""), "{known}");
            assert_eq!(again.header("etag"), Some(tag.as_str()));
            assert_eq!(again.header("cache-control"), Some("private, no-cache"));
        }
        let staff = app.staff();
        let news =
            json!({ "shipping_status": if what == "tracking" { "FAILED" } else { "SHIPPED" } });
        let path = format!("/v1/orders/{order_id}/update/");
        assert_eq!(staff.patch(&path, &news).await.status, 200);
        let now = read(&customer, order_id, what, Some(&tag)).await;
        assert_eq!(now.status, 200, "{what}");
        assert_ne!(now.header("etag"), Some(tag.as_str()));
    }
}

#[tokio::test]
async fn every_representation_has_its_own_etag() {
    let app = TestApp::with(AT_REST).await;
    let order_id = app.customer(5).place(&whole_cart()).await.order_id();
    let mut tags = BTreeSet::new();
    for client in [app.customer(5), app.staff(), app.service()] {
        for what in READS {
            let reply = read(&client, order_id, what, None).await;
            tags.insert(reply.header("etag").unwrap().to_owned());
        }
    }
    assert_eq!(tags.len(), 9, "{tags:?}");
    let theirs = read(&app.customer(6), order_id, "details", Some("*")).await;
    theirs.assert_problem(404, "not-found");
}

#[tokio::test]
async fn write_responses_have_the_etag_of_the_details() {
    let app = TestApp::with(AT_REST).await;
    let customer = app.customer(5);
    let placed = customer.place(&whole_cart()).await;
    let order_id = placed.order_id();
    assert_eq!(
        placed.header("etag"),
        Some(&*tag(&customer, order_id).await)
    );
    let cancelled = customer.cancel(order_id).await;
    assert_eq!(
        cancelled.header("etag"),
        Some(&*tag(&customer, order_id).await)
    );
    let known = read(&customer, order_id, "details", cancelled.header("etag")).await;
    assert_eq!(known.status, 304);
}

#[tokio::test]
async fn a_cancel_without_waiting_has_the_etag_of_the_request() {
    let mut app = TestApp::with(AT_REST).await;
    let placed = app.customer(5).place(&whole_cart()).await;
    app.set("SETTLE_WAIT_MS", "0");
    app.restart().await;
    let reply = app.customer(5).cancel(placed.order_id()).await;
    assert_eq!(
        (reply.status, &reply.body["cancel_requested"]),
        (202, &json!(true))
    );
    let read = placed.body["version"].as_i64().unwrap();
    assert_eq!(reply.body["version"], json!(read + 1));
    assert_ne!(reply.body["updated_at"], placed.body["updated_at"]);
    let tag = format!("\"{}-{}-details-", placed.order_id(), read + 1);
    assert!(reply.header("etag").unwrap().starts_with(&tag));
}

#[tokio::test]
async fn tracking_without_news_leaves_the_order_unchanged() {
    let app = TestApp::with(&[("FOLLOW_INTERVAL_MS", "100")]).await;
    let customer = app.customer(5);
    let order_id = customer.place(&whole_cart()).await.order_id();
    let before = customer.details(order_id).await;
    let calls = app.peer_calls();
    eventually("two looks", async || {
        (app.peer_calls() > calls + 1).then_some(())
    })
    .await;
    let after = customer.details(order_id).await;
    assert_eq!(after.body, before.body);
    assert_eq!(after.header("etag"), before.header("etag"));
}

#[tokio::test]
async fn of_concurrent_writers_with_one_etag_exactly_one_wins() {
    let app = TestApp::with(AT_REST).await;
    let staff = app.staff();
    let order_id = app.customer(5).place(&whole_cart()).await.order_id();
    for round in 0..6 {
        let tag = tag(&staff, order_id).await;
        let to = if round % 2 == 0 { "SHIPPED" } else { "FAILED" };
        let writers = (0..6).map(|_| update(&staff, order_id, &tag, to));
        let replies = futures_util::future::join_all(writers).await;
        let mut statuses: Vec<_> = replies.iter().map(|reply| reply.status).collect();
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 412, 412, 412, 412, 412]);
        let now = staff.details(order_id).await;
        for reply in replies.iter().filter(|reply| reply.status == 412) {
            let version = now.body["version"].as_i64().unwrap();
            assert_changed(reply, version, now.header("etag").unwrap());
        }
    }
}

#[tokio::test]
async fn of_two_cancels_with_one_etag_exactly_one_wins() {
    let app = TestApp::with(AT_REST).await;
    let customer = app.customer(5);
    for _ in 0..4 {
        let order_id = customer.place(&whole_cart()).await.order_id();
        let tag = tag(&customer, order_id).await;
        let (one, other) = tokio::join!(
            cancel(&customer, order_id, &tag, None),
            cancel(&customer, order_id, &tag, None)
        );
        let mut statuses = [one.status, other.status];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 412], "{one:?} {other:?}");
    }
}

#[tokio::test]
async fn an_order_changed_since_it_was_read_is_not_cancelled() {
    let app = TestApp::with(AT_REST).await;
    let (customer, staff) = (app.customer(5), app.staff());
    let order_id = customer.place(&whole_cart()).await.order_id();
    let old = tag(&customer, order_id).await;
    let path = format!("/v1/orders/{order_id}/update/");
    let news = json!({ "payment_status": "REFUNDED" });
    assert_eq!(staff.patch(&path, &news).await.status, 200);
    let now = customer.details(order_id).await;
    let (version, new) = (
        now.body["version"].as_i64().unwrap(),
        tag(&customer, order_id).await,
    );
    let other_order = old.replacen(&order_id.to_string(), &(order_id + 1).to_string(), 1);
    for stale in [
        &old,
        &format!("W/{new}"),
        &other_order,
        "\"\"",
        "\"anything\"",
    ] {
        assert_changed(
            &cancel(&customer, order_id, stale, None).await,
            version,
            &new,
        );
    }
    assert_eq!(customer.details(order_id).await.body, now.body);
    for malformed in ["", "x", "\"x", "1025", &format!("{new} {new}")] {
        let reply = cancel(&customer, order_id, malformed, None).await;
        reply.assert_problem(400, "invalid-request");
        assert_eq!(reply.pointers(), ["/If-Match"], "{malformed}");
        let reply = read(&customer, order_id, "details", Some(malformed)).await;
        reply.assert_problem(400, "invalid-request");
        assert_eq!(reply.pointers(), ["/If-None-Match"], "{malformed}");
    }
    let theirs = cancel(&app.customer(6), order_id, &old, None).await;
    theirs.assert_problem(404, "not-found");
    // The ETag of any representation of the order is accepted.
    let tracking = read(&staff, order_id, "tracking", None).await;
    let tracking = format!("{old}, {}", tracking.header("etag").unwrap());
    assert_eq!(
        cancel(&customer, order_id, &tracking, None).await.status,
        200
    );
}

#[tokio::test]
async fn if_match_star_matches_any_version() {
    let app = TestApp::with(AT_REST).await;
    let order_id = app.customer(5).place(&whole_cart()).await.order_id();
    assert_eq!(
        update(&app.staff(), order_id, "*", "PACKED").await.status,
        200
    );
    assert_eq!(
        cancel(&app.customer(5), order_id, "*", None).await.status,
        200
    );
}

#[tokio::test]
async fn a_replayed_cancel_ignores_its_stale_etag() {
    let app = TestApp::with(AT_REST).await;
    let customer = app.customer(5);
    let order_id = customer.place(&whole_cart()).await.order_id();
    let tag = tag(&customer, order_id).await;
    for replayed in [None, Some("true")] {
        let reply = cancel(&customer, order_id, &tag, Some("key-1")).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        assert_eq!(reply.header("idempotent-replayed"), replayed);
    }
    let other = cancel(&customer, order_id, &tag, Some("key-2")).await;
    other.assert_problem(412, "precondition-failed");
}

#[tokio::test]
async fn the_key_of_a_refused_cancel_is_not_replayed() {
    let app = TestApp::with(AT_REST).await;
    let customer = app.customer(5);
    let order_id = customer.place(&whole_cart()).await.order_id();
    let stale = format!("\"{order_id}-1-details\"");
    for _ in 0..2 {
        let reply = cancel(&customer, order_id, &stale, Some("key-1")).await;
        reply.assert_problem(412, "precondition-failed");
        assert_eq!(
            customer.details(order_id).await.body["cancel_requested"],
            Value::Bool(false)
        );
    }
    let tag = tag(&customer, order_id).await;
    let taken = cancel(&customer, order_id, &tag, Some("key-1")).await;
    assert_eq!(
        (taken.status, taken.header("idempotent-replayed")),
        (200, None)
    );
}
