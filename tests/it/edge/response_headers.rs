//! Security headers, CORS and compression.

use std::io::Read as _;

use flate2::read::GzDecoder;
use reqwest::Method;
use serde_json::{Value, json};

use super::many_orders;
use crate::support::app::TestApp;
use crate::support::client::{Client, cart, send};
use crate::support::subscriber::Subscriber;
use crate::support::visitor::{HTML, Visitor};

const SITE: &str = "https://shop.example";

/// Every operation of the OpenAPI document, with ids in its path.
fn operations() -> Vec<(Method, String)> {
    let document = serde_json::to_value(order_service::http::openapi()).unwrap();
    let mut operations = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        let path = path
            .replace("{order_id}", "1")
            .replace("{customer_id}", "5");
        assert!(!path.contains('{'), "{path}");
        for method in item.as_object().unwrap().keys() {
            let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
            operations.push((method, path.clone()));
        }
    }
    operations
}

#[tokio::test]
async fn every_response_has_security_headers() {
    let app = TestApp::with(&[("PUBLIC_URL", SITE)]).await;
    let placed = app.customer(5).place(&cart("SKU0001", 1, "10.00")).await;
    assert_eq!(placed.status, 201);
    let mut asked = operations();
    asked.push((Method::GET, "/nowhere/".to_owned()));
    asked.push((Method::DELETE, "/v1/orders/".to_owned()));
    asked.push((Method::GET, "/orders-doc/openapi.json".to_owned()));
    asked.push((Method::GET, "/problems/not-found/".to_owned()));
    asked.push((Method::GET, "/orders-doc/".to_owned()));
    asked.push((Method::GET, "/sign-in/".to_owned()));
    for (method, path) in asked {
        for client in [app.customer(5), app.anonymous()] {
            let reply = send(client.request(method.clone(), &path)).await;
            let header = |name: &str| reply.header(name).unwrap_or_default();
            let what = format!("{method} {path}: {reply:?}");
            assert_eq!(header("x-content-type-options"), "nosniff", "{what}");
            assert!(!header("referrer-policy").is_empty(), "{what}");
            assert!(
                header("content-security-policy").contains("frame-ancestors 'none'"),
                "{what}"
            );
            assert_eq!(
                header("strict-transport-security"),
                "max-age=31536000",
                "{what}"
            );
            let caching = header("cache-control");
            if path.starts_with("/orders-doc/") {
                assert_eq!(caching, "no-cache", "{what}");
            } else if reply.headers.contains_key("etag") {
                assert_eq!(caching, "private, no-cache", "{what}");
            } else {
                assert!(caching.contains("no-store"), "{what}");
            }
        }
    }
}

#[tokio::test]
async fn without_tls_there_is_no_hsts_header() {
    let app = TestApp::start().await;
    let reply = app.anonymous().get("/health/").await;
    assert_eq!(reply.header("strict-transport-security"), None);
}

fn preflight(app: &TestApp, origin: &str) -> reqwest::RequestBuilder {
    app.anonymous()
        .request(Method::OPTIONS, "/v1/orders/create/")
        .header("origin", origin)
        .header("access-control-request-method", "POST")
        .header(
            "access-control-request-headers",
            "authorization,idempotency-key",
        )
}

#[tokio::test]
async fn cors_is_refused_for_origins_that_are_not_configured() {
    let app = TestApp::start().await;
    let reply = send(preflight(&app, SITE)).await;
    assert_eq!(reply.status, 405);
    assert_eq!(reply.header("access-control-allow-origin"), None);
    let request = app.customer(5).request(Method::GET, "/v1/orders/");
    let reply = send(request.header("origin", SITE)).await;
    assert_eq!(reply.header("access-control-allow-origin"), None);
}

#[tokio::test]
async fn cors_allows_configured_origins_to_read_all_responses() {
    let origins = format!("https://other.example, {SITE}");
    let app = TestApp::with(&[("CORS_ORIGINS", &origins)]).await;
    let reply = send(preflight(&app, SITE)).await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.header("access-control-allow-origin"), Some(SITE));
    let allowed = reply.header("access-control-allow-headers").unwrap();
    assert!(
        allowed.contains("authorization") && allowed.contains("idempotency-key"),
        "{allowed}"
    );
    assert!(
        reply
            .header("access-control-allow-methods")
            .unwrap()
            .contains("PATCH")
    );
    assert_eq!(reply.header("access-control-allow-credentials"), None);
    let elsewhere = send(preflight(&app, "https://evil.example")).await;
    assert_eq!(elsewhere.header("access-control-allow-origin"), None);
    for (client, status) in [(app.customer(5), 200), (app.anonymous(), 401)] {
        let request = client.request(Method::GET, "/v1/orders/");
        let reply = send(request.header("origin", SITE)).await;
        assert_eq!(reply.status, status);
        assert_eq!(reply.header("access-control-allow-origin"), Some(SITE));
        let exposed = reply.header("access-control-expose-headers").unwrap();
        for name in [
            "etag",
            "location",
            "ratelimit",
            "retry-after",
            "idempotent-replayed",
        ] {
            assert!(
                exposed.split(',').any(|exposed| exposed == name),
                "{name}: {exposed}"
            );
        }
    }
}

/// The content encoding of the response and its decoded body.
async fn gzipped(client: &Client, path: &str, accept: &str) -> (Option<String>, String) {
    let request = client.request(Method::GET, path);
    let request = request
        .header("accept", accept)
        .header("accept-encoding", "gzip");
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), 200, "{path}");
    let encoding = response.headers().get("content-encoding");
    let encoding = encoding.map(|value| value.to_str().unwrap().to_owned());
    let bytes = response.bytes().await.unwrap();
    let mut text = String::new();
    match encoding {
        Some(_) => GzDecoder::new(&*bytes).read_to_string(&mut text).unwrap(),
        None => (&*bytes).read_to_string(&mut text).unwrap(),
    };
    (encoding, text)
}

#[tokio::test]
async fn long_responses_are_compressed() {
    let app = TestApp::start().await;
    many_orders(&app, 1_500).await;
    let staff = app.staff();
    for path in [
        "/v1/orders/?page_size=100",
        "/v1/orders/export/?format=ndjson",
        "/v1/orders/export/?format=csv",
        "/orders-doc/openapi.json",
        "/metrics",
    ] {
        let (encoding, text) = gzipped(&staff, path, "*/*").await;
        assert_eq!(encoding.as_deref(), Some("gzip"), "{path}");
        if path.contains("export") {
            let rows = text.lines().filter(|line| line.contains("CONFIRMED"));
            assert_eq!(rows.count(), 1_500, "{path}");
        } else if path != "/metrics" {
            assert!(serde_json::from_str::<Value>(&text).unwrap().is_object());
        }
    }
    let plain = staff.get("/v1/orders/?page_size=100").await;
    assert_eq!(plain.header("content-encoding"), None);
    assert!(
        plain.header("vary").unwrap().contains("accept-encoding"),
        "{plain:?}"
    );
}

#[tokio::test]
async fn pages_etagged_responses_and_streams_are_not_compressed() {
    let app = TestApp::with(&[("FOLLOW_INTERVAL_MS", "86400000")]).await;
    let items: Vec<_> = (1..=30)
        .map(|number| json!({ "sku": format!("SKU{number:04}"), "quantity": 1, "unit_price": "1.00" }))
        .collect();
    let placed = app.customer(5).place(&json!({ "items": items })).await;
    let order_id = placed.order_id();
    many_orders(&app, 100).await;
    let visitor = Visitor::signed_in(&app, "customer5").await;
    let page = visitor.request(Method::GET, "/v1/orders/my-orders/5/");
    let page = send(page.header("accept-encoding", "gzip")).await;
    assert!(
        page.text.len() > 1024 && page.text.contains("Customer 5"),
        "{}",
        page.text
    );
    assert_eq!(page.header("content-encoding"), None);
    let customer = app.customer(5);
    let events = format!("/v1/orders/{order_id}/events/");
    for path in [format!("/v1/orders/{order_id}/details/"), events] {
        let (encoding, text) = gzipped(&customer, &path, "application/json").await;
        assert!(
            text.len() > 1024 || path.contains("events"),
            "too short to tell: {text}"
        );
        assert_eq!(encoding, None, "{path}");
    }
    let (encoding, _) = gzipped(&app.anonymous(), "/sign-in/", HTML).await;
    assert_eq!(encoding, None);
    let compressing = reqwest::header::HeaderValue::from_static("gzip");
    let request = crate::support::subscriber::request(&customer, order_id, None);
    let response = request
        .header("accept-encoding", compressing)
        .send()
        .await
        .unwrap();
    assert_eq!(response.headers().get("content-encoding"), None);
    drop(response);
    let mut listener = Subscriber::start(&customer, order_id, None).await;
    assert_eq!(listener.next().await.unwrap().id, 1);
}
