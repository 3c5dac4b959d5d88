//! Authorization of HTML pages, which are not in the OpenAPI document, and of API paths that serve
//! pages to browsers.

use reqwest::Method;
use url::form_urlencoded::Serializer;

use super::{AT_REST, CALLERS, OWNER, path_of, place, rules, tokens};
use crate::support::app::TestApp;
use crate::support::client::{Reply, send};
use crate::support::visitor::Visitor;

/// The expected statuses for browsers. `303` redirects anonymous visitors to `/sign-in/`.
pub const RULES: &str = "
                                               nobody expired another owner staff service
    get   /                                       303     303     303   303   303     303
    get   /sign-in/                               200     200     303   303   303     303
    post  /sign-in/                               401     401     401   401   401     401
    post  /sign-out/                              303     303     303   303   303     303
    get   /v1/orders/my-orders/{customer_id}/     303     303     404   200   200     403
    get   /v1/orders/{order_id}/                  303     303     404   200   200     200
    get   /v1/orders/{order_id}/detail/           303     303     404   200   200     200
    get   /v1/orders/{order_id}/details/          303     303     404   200   200     200
    get   /orders/{order_id}/cancel/              303     303     404   200   200     409
    post  /orders/{order_id}/cancel/              303     303     404   303   303     403
    get   /desk/                                  303     303     403   403   200     403
    get   /desk/orders/{order_id}/                303     303     403   403   200     403
    post  /desk/orders/{order_id}/                303     303     403   403   303     403
    get   /orders-doc/                            200     200     200   200   200     200
    get   /orders-doc/openapi.json/               200     200     200   200   200     200
    get   /orders-doc/{file}/                     200     200     200   200   200     200
    get   /problems/{code}/                       200     200     200   200   200     200
    get   /assets/{file}/                         200     200     200   200   200     200
";

/// A browser with a session of this token.
fn visitor(app: &TestApp, token: Option<&str>) -> Visitor {
    match token {
        Some(token) => Visitor::with_cookie(app, &format!("order_session={token}")),
        None => Visitor::stranger(app),
    }
}

/// Sends what the form of the page sends.
async fn call(visitor: &Visitor, method: &str, path: &str) -> Reply {
    if method == "get" {
        return visitor.get(path).await;
    }
    let mut form = Serializer::new(String::new());
    form.append_pair("version", "5");
    form.extend_pairs([("decision", "retry"), ("reason", "repaired")]);
    let request = visitor
        .request(Method::POST, path)
        .header("content-type", "application/x-www-form-urlencoded");
    send(request.body(form.finish())).await
}

#[tokio::test]
async fn every_page_authorizes_every_kind_of_visitor() {
    let app = TestApp::with(AT_REST).await;
    let sign_in = Visitor::stranger(&app).get("/sign-in/").await.text;
    let (_, asset) = sign_in.split_once("/assets/").unwrap();
    let asset = asset.split('"').next().unwrap();
    let tokens = tokens();
    for ((method, template), expected) in rules(RULES) {
        let callers = CALLERS.into_iter().zip(&tokens);
        for ((who, token), expected) in callers.zip(expected) {
            let placed = place(&app).await;
            assert_eq!(placed.body["version"], 5, "{placed:?}");
            let file = match template.starts_with("/assets/") {
                true => asset,
                false => "swagger-ui.css",
            };
            let path = path_of(&template, placed.order_id())
                .replace("{file}", file)
                .replace("{code}", "not-found");
            let visitor = visitor(&app, token.as_deref());
            let reply = call(&visitor, &method, &path).await;
            let what = format!("{method} {path} by {who}");
            assert_eq!(reply.status, expected, "{what}: {reply:?}");
            if expected == 303 {
                let to = reply.header("location").unwrap();
                let is_stranger = matches!(who, "nobody" | "expired") || template == "/sign-out/";
                assert_eq!(to.starts_with("/sign-in/"), is_stranger, "{what}: {to}");
            }
            if method == "get" || expected >= 400 {
                let now = app.customer(OWNER).details(placed.order_id()).await.body;
                assert_eq!(now, placed.body, "{what} changed something");
            }
        }
    }
}
