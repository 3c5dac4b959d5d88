//! Who may do what: every route under /v1, for everybody who may call it.

use std::collections::BTreeSet;

use order_service::auth::Claims;
use order_service::clock;
use reqwest::Method;
use serde_json::{Value, json};

use super::{AT_REST, whole_cart};
use crate::support::app::TestApp;
use crate::support::client::{Client, Reply, claims, send, token};

/// A route and what each caller gets: without a token, with an expired one, another customer, the
/// owner, staff, a peer service.
type Line = (&'static str, &'static str, [u16; 6]);

const TABLE: &[Line] = &[
    ("get", "/v1/orders/", [401, 401, 200, 200, 200, 403]),
    ("get", "/v1/orders/export/", [401, 401, 200, 200, 200, 403]),
    ("post", "/v1/orders/", [401, 401, 403, 201, 201, 403]),
    ("post", "/v1/orders/create/", [401, 401, 403, 201, 201, 403]),
    (
        "get",
        "/v1/orders/{order_id}/",
        [401, 401, 404, 200, 200, 200],
    ),
    (
        "get",
        "/v1/orders/{order_id}/detail/",
        [401, 401, 404, 200, 200, 200],
    ),
    (
        "get",
        "/v1/orders/{order_id}/details/",
        [401, 401, 404, 200, 200, 200],
    ),
    (
        "get",
        "/v1/orders/{order_id}/tracking/",
        [401, 401, 404, 200, 200, 200],
    ),
    (
        "get",
        "/v1/orders/{order_id}/events/",
        [401, 401, 404, 200, 200, 200],
    ),
    (
        "post",
        "/v1/orders/{order_id}/cancel/",
        [401, 401, 404, 200, 200, 403],
    ),
    (
        "patch",
        "/v1/orders/{order_id}/update/",
        [401, 401, 404, 403, 200, 200],
    ),
    (
        "get",
        "/v1/orders/my-orders/{customer_id}/",
        [401, 401, 404, 200, 200, 403],
    ),
    (
        "get",
        "/v1/ops/orders/stuck/",
        [401, 401, 403, 403, 200, 403],
    ),
    (
        "post",
        "/v1/ops/orders/{order_id}/retry/",
        [401, 401, 403, 403, 200, 403],
    ),
    // Nothing is stuck.
    (
        "post",
        "/v1/ops/orders/{order_id}/resolve/",
        [401, 401, 403, 403, 409, 403],
    ),
];

const OWNER: i64 = 5;

fn callers(app: &TestApp) -> [(&'static str, Client); 6] {
    let expired = Claims {
        exp: clock::now().unix_timestamp() - 3600,
        user_id: Some(json!(OWNER)),
        ..claims()
    };
    [
        ("nobody", app.nobody()),
        ("expired", Client::with_token(&app.base, token(&expired))),
        ("another", app.customer(6)),
        ("owner", app.customer(OWNER)),
        ("staff", app.staff()),
        ("service", app.service()),
    ]
}

async fn call(client: &Client, method: &str, path: &str) -> Reply {
    let method: Method = method.to_uppercase().parse().unwrap();
    let request = client.request(method.clone(), path);
    send(match method.as_str() {
        "POST" => {
            let mut body = whole_cart();
            body["outcome"] = json!("completed");
            body["reason"] = json!("done by hand");
            request.json(&body)
        }
        "PATCH" => request.json(&json!({ "shipping_status": "PACKED" })),
        _ => request,
    })
    .await
}

#[test]
fn the_table_has_every_route_of_the_document() {
    let document = serde_json::to_value(order_service::http::openapi()).unwrap();
    let mut documented = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        let methods = item
            .as_object()
            .unwrap()
            .keys()
            .filter(|name| *name != "parameters");
        documented.extend(methods.map(|method| (method.clone(), path.clone())));
    }
    documented.retain(|(_, path)| path.starts_with("/v1/"));
    let judged = TABLE
        .iter()
        .map(|(method, path, _)| ((*method).to_owned(), (*path).to_owned()))
        .collect();
    assert_eq!(documented, judged);
}

#[tokio::test]
async fn everybody_gets_on_every_route_what_is_theirs() {
    let app = TestApp::with(AT_REST).await;
    for (method, template, expected) in TABLE {
        for ((who, client), expected) in callers(&app).into_iter().zip(expected) {
            let placed = app.customer(OWNER).place(&whole_cart()).await;
            let order_id = placed.order_id().to_string();
            let path = template
                .replace("{order_id}", &order_id)
                .replace("{customer_id}", &OWNER.to_string());
            let reply = call(&client, method, &path).await;
            assert_eq!(
                reply.status, *expected,
                "{method} {path} by {who}: {reply:?}"
            );
            match reply.status {
                401 => {
                    reply.assert_problem(401, "unauthenticated");
                    assert_eq!(reply.header("www-authenticate"), Some("Bearer"));
                }
                403 => reply.assert_problem(403, "forbidden"),
                404 => reply.assert_problem(404, "not-found"),
                409 => reply.assert_problem(409, "nothing-to-decide"),
                _ => {}
            }
            if *expected >= 400 {
                let now = app.customer(OWNER).details(placed.order_id()).await.body;
                assert_eq!(
                    now, placed.body,
                    "{method} {path} by {who} changed something"
                );
            }
        }
    }
}

#[tokio::test]
async fn somebody_elses_order_looks_like_none() {
    let app = TestApp::with(AT_REST).await;
    let theirs = app.customer(OWNER).place(&whole_cart()).await.order_id();
    let none = theirs + 1_000_000;
    for (method, template, _) in TABLE.iter().filter(|line| line.1.contains("{order_id}")) {
        let of = async |order_id: i64| {
            let path = template.replace("{order_id}", &order_id.to_string());
            let mut reply = call(&app.customer(6), method, &path).await;
            reply.body["request_id"] = Value::Null;
            let told = reply.body.to_string().replace(&order_id.to_string(), "N");
            (reply.status, told)
        };
        assert_eq!(of(theirs).await, of(none).await, "{method} {template}");
    }
}

#[tokio::test]
async fn another_customers_list_has_nothing_of_it() {
    let app = TestApp::start().await;
    let placed = app.customer(OWNER).place(&whole_cart()).await;
    for path in [
        "/v1/orders/".to_owned(),
        "/v1/orders/my-orders/6/".to_owned(),
        format!("/v1/orders/?search={}", placed.order_id()),
        format!(
            "/v1/orders/?search={}",
            placed.body["tracking_no"].as_str().unwrap()
        ),
        "/v1/orders/?sku=SKU0001".to_owned(),
    ] {
        let list = app.customer(6).get(&path).await;
        assert_eq!(
            (list.status, list.body["count"].as_i64()),
            (200, Some(0)),
            "{path}"
        );
    }
}

#[tokio::test]
async fn a_customer_is_not_told_who_of_the_shop_did_it() {
    let app = TestApp::start().await;
    let order_id = app.customer(OWNER).place(&whole_cart()).await.order_id();
    assert_eq!(app.staff().cancel(order_id).await.status, 200);
    for path in ["tracking", "events"] {
        let path = format!("/v1/orders/{order_id}/{path}/");
        let theirs = app.customer(OWNER).get(&path).await;
        assert!(!theirs.text.contains("staff:1000"), "{theirs:?}");
        assert!(app.staff().get(&path).await.text.contains("staff:1000"));
    }
}
