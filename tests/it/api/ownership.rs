//! Authorization: every route for every kind of caller. The routes are those of the served OpenAPI
//! document; a route without a rule and a rule without a route fail.

mod pages;
mod routes;

use std::collections::BTreeMap;

use order_service::auth::TokenClaims;
use order_service::clock;
use reqwest::Method;
use serde_json::{Value, json};

use super::{AT_REST, whole_cart};
use crate::support::app::TestApp;
use crate::support::client::{Client, Reply, cart, claims, send, token};

/// For a method and a path: the expected status for each of [`CALLERS`].
type Rules = BTreeMap<(String, String), [u16; 6]>;

const CALLERS: [&str; 6] = ["nobody", "expired", "another", "owner", "staff", "service"];

/// The documented routes. `/metrics/` requires its own token, which no caller here has.
const RULES: &str = "
                                               nobody expired another owner staff service
    get   /v1/orders/                             401     401     200   200   200     403
    post  /v1/orders/                             401     401     403   201   201     403
    post  /v1/orders/create/                      401     401     403   201   201     403
    get   /v1/orders/export/                      401     401     200   200   200     403
    get   /v1/orders/my-orders/{customer_id}/     401     401     404   200   200     403
    get   /v1/orders/{order_id}/                  401     401     404   200   200     200
    get   /v1/orders/{order_id}/detail/           401     401     404   200   200     200
    get   /v1/orders/{order_id}/details/          401     401     404   200   200     200
    get   /v1/orders/{order_id}/tracking/         401     401     404   200   200     200
    get   /v1/orders/{order_id}/events/           401     401     404   200   200     200
    post  /v1/orders/{order_id}/cancel/           401     401     404   200   200     403
    patch /v1/orders/{order_id}/update/           401     401     404   403   200     200
    get   /v1/ops/orders/stuck/                   401     401     403   403   200     403
    post  /v1/ops/orders/{order_id}/retry/        401     401     403   403   200     403
    post  /v1/ops/orders/{order_id}/resolve/      401     401     403   403   409     403
    get   /health/                                200     200     200   200   200     200
    get   /health/live/                           200     200     200   200   200     200
    get   /health/ready/                          200     200     200   200   200     200
    get   /metrics/                               401     401     401   401   401     401
";

/// The customer who owns the order of a path.
const OWNER: i64 = 5;

/// Parses a table of rules, whose first line names the callers.
fn rules(table: &str) -> Rules {
    let mut lines = table.lines().filter(|line| !line.trim().is_empty());
    let callers: Vec<&str> = lines.next().unwrap().split_whitespace().collect();
    assert_eq!(callers, CALLERS);
    let mut rules = Rules::new();
    for line in lines {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [method, path, statuses @ ..] = words.as_slice() else {
            panic!("no rule: {line}");
        };
        let statuses: Vec<u16> = statuses.iter().map(|word| word.parse().unwrap()).collect();
        let key = ((*method).to_owned(), (*path).to_owned());
        let other = rules.insert(key, statuses.try_into().unwrap());
        assert!(other.is_none(), "two rules: {line}");
    }
    rules
}

/// The tokens of [`CALLERS`].
fn tokens() -> [Option<String>; 6] {
    let of = |user_id: i64, is_staff: bool, lasts_s: i64| {
        token(&TokenClaims {
            exp: clock::now().unix_timestamp() + lasts_s,
            user_id: Some(json!(user_id)),
            is_staff: is_staff.then_some(json!(true)),
            ..claims()
        })
    };
    let service = TokenClaims {
        sub: Some(json!("shipping")),
        role: Some(json!("service")),
        ..claims()
    };
    [
        None,
        Some(of(OWNER, false, -3600)),
        Some(of(6, false, 3600)),
        Some(of(OWNER, false, 3600)),
        Some(of(1000, true, 3600)),
        Some(token(&service)),
    ]
}

fn callers(app: &TestApp) -> [Client; 6] {
    tokens().map(|token| match token {
        Some(token) => Client::with_token(&app.base, token),
        None => app.anonymous(),
    })
}

/// The path of a template for this order.
fn path_of(template: &str, order_id: i64) -> String {
    template
        .replace("{order_id}", &order_id.to_string())
        .replace("{customer_id}", &OWNER.to_string())
}

/// Places an order for the owner. Its stock never runs out.
async fn place(app: &TestApp) -> Reply {
    let placed = app.customer(OWNER).place(&cart("SKU0003", 1, "1.00")).await;
    assert_eq!(placed.status, 201, "{placed:?}");
    placed
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

/// The methods and paths of the served OpenAPI document.
async fn documented(app: &TestApp) -> Vec<(String, String)> {
    let document = app.anonymous().get("/orders-doc/openapi.json").await.body;
    let mut found = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        let methods = item.as_object().unwrap().keys();
        let methods = methods.filter(|name| *name != "parameters");
        found.extend(methods.map(|method| (method.clone(), path.clone())));
    }
    found
}

/// An app whose metrics require a token.
async fn guarded() -> TestApp {
    TestApp::with(&[AT_REST, &[("METRICS_TOKEN", "scrape-me")]].concat()).await
}

#[tokio::test]
async fn every_route_authorizes_every_kind_of_caller() {
    let app = guarded().await;
    let mut rules = rules(RULES);
    for (method, template) in documented(&app).await {
        let Some(expected) = rules.remove(&(method.clone(), template.clone())) else {
            panic!("{method} {template} has no rule: say who may call it");
        };
        let callers = CALLERS.into_iter().zip(callers(&app));
        for ((who, client), expected) in callers.zip(expected) {
            let placed = place(&app).await;
            let path = path_of(&template, placed.order_id());
            let reply = call(&client, &method, &path).await;
            let what = format!("{method} {path} by {who}");
            assert_eq!(reply.status, expected, "{what}: {reply:?}");
            match expected {
                401 => {
                    reply.assert_problem(401, "unauthenticated");
                    assert_eq!(reply.header("www-authenticate"), Some("Bearer"));
                }
                403 => reply.assert_problem(403, "forbidden"),
                404 => reply.assert_problem(404, "not-found"),
                // The order is not stuck.
                409 => reply.assert_problem(409, "nothing-to-decide"),
                _ => {}
            }
            if expected >= 400 {
                let now = app.customer(OWNER).details(placed.order_id()).await.body;
                assert_eq!(now, placed.body, "{what} changed something");
            }
        }
    }
    assert!(rules.is_empty(), "rules without a route: {rules:?}");
}

#[tokio::test]
async fn another_customers_order_is_a_404() {
    let app = TestApp::with(AT_REST).await;
    let theirs = app.customer(OWNER).place(&whole_cart()).await.order_id();
    let none = theirs + 1_000_000;
    for (method, template) in documented(&app).await {
        if !template.contains("{order_id}") {
            continue;
        }
        let of = async |order_id: i64| {
            let path = path_of(&template, order_id);
            let mut reply = call(&app.customer(6), &method, &path).await;
            reply.body["request_id"] = Value::Null;
            let told = reply.body.to_string().replace(&order_id.to_string(), "N");
            (reply.status, told)
        };
        assert_eq!(of(theirs).await, of(none).await, "{method} {template}");
    }
}

#[tokio::test]
async fn another_customers_list_does_not_contain_the_order() {
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
async fn customers_do_not_see_which_staff_member_acted() {
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
