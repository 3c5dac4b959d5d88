//! Paths with and without a trailing slash, aliases, and unknown paths.

use reqwest::Method;
use serde_json::json;

use super::{AT_REST, CREATE, whole_cart};
use crate::support::app::TestApp;
use crate::support::client::{cart, send};
use crate::support::raw_http::exchange;

/// A path with and without its trailing slash.
fn spellings(path: &str) -> [String; 2] {
    let bare = path.trim_end_matches('/');
    [bare.to_owned(), format!("{bare}/")]
}

#[tokio::test]
async fn every_path_works_with_and_without_a_trailing_slash() {
    let app = TestApp::start().await;
    let order_id = app.customer(5).place(&whole_cart()).await.order_id();
    for path in [
        "/v1/orders/".to_owned(),
        "/v1/orders/my-orders/5/".to_owned(),
        format!("/v1/orders/{order_id}/"),
        format!("/v1/orders/{order_id}/detail/"),
        format!("/v1/orders/{order_id}/details/"),
        format!("/v1/orders/{order_id}/tracking/"),
        "/health/".to_owned(),
        "/health/live/".to_owned(),
        "/health/ready/".to_owned(),
        "/metrics/".to_owned(),
        "/orders-doc/".to_owned(),
        "/orders-doc/openapi.json/".to_owned(),
        "/problems/not-found/".to_owned(),
    ] {
        for path in spellings(&path) {
            let reply = app.customer(5).get(&path).await;
            assert_eq!(reply.status, 200, "{path}: {reply:?}");
            let reply = app.customer(5).get(&format!("{path}?")).await;
            assert_eq!(reply.status, 200, "{path}: {reply:?}");
        }
    }
    for path in spellings(CREATE)
        .into_iter()
        .chain(spellings("/v1/orders/"))
    {
        let reply = app
            .customer(5)
            .post(&path, &cart("SKU0001", 1, "1.00"))
            .await;
        assert_eq!(reply.status, 201, "{path}: {reply:?}");
    }
    for path in spellings(&format!("/v1/orders/{order_id}/update/")) {
        let news = json!({ "shipping_status": "PENDING" });
        assert_eq!(app.staff().patch(&path, &news).await.status, 200, "{path}");
    }
    for path in spellings(&format!("/v1/orders/{order_id}/cancel/")) {
        assert_eq!(
            app.customer(5).post(&path, &json!({})).await.status,
            200,
            "{path}"
        );
    }
}

#[tokio::test]
async fn aliases_answer_the_same() {
    let app = TestApp::with(AT_REST).await;
    let order_id = app.customer(5).place(&whole_cart()).await.order_id();
    let details = app.customer(5).details(order_id).await;
    for alias in [
        format!("/v1/orders/{order_id}/"),
        format!("/v1/orders/{order_id}/detail/"),
    ] {
        let reply = app.customer(5).get(&alias).await;
        assert_eq!((reply.status, &reply.body), (200, &details.body));
    }
}

#[tokio::test]
async fn links_of_a_path_without_trailing_slash_work() {
    let app = TestApp::start().await;
    for _ in 0..2 {
        app.customer(5).place(&whole_cart()).await;
    }
    let first = app.customer(5).get("/v1/orders?page_size=1").await;
    let next = first.body["next"].as_str().unwrap();
    let path = next.strip_prefix(&app.base).unwrap();
    assert_eq!(app.customer(5).get(path).await.status, 200);
}

#[tokio::test]
async fn an_unknown_path_is_a_404_problem_for_every_caller() {
    let app = TestApp::start().await;
    for path in [
        "/",
        "/nowhere",
        "/v1",
        "/v1/",
        "/v2/orders/",
        "/v1/order/",
        "/V1/orders/",
        "/v1/orders/1/refund/",
        "/v1/orders/1/details/more/",
        "/v1/orders/my-orders/5/6/",
        "/orders-doc/index.html",
        "/orders-doc/..%2f..%2fetc%2fpasswd",
        "/orders-doc/../../etc/passwd",
        "/problems/none",
        "/.env",
        "/%00",
        "/%FF",
    ] {
        for client in [app.anonymous(), app.customer(5), app.staff()] {
            let reply = client.get(path).await;
            reply.assert_problem(404, "not-found");
        }
    }
    let reply = app.anonymous().post("/nowhere", &json!({})).await;
    reply.assert_problem(404, "not-found");
}

#[tokio::test]
async fn a_405_lists_the_allowed_methods() {
    let app = TestApp::start().await;
    for (path, allowed) in [
        ("/v1/orders/", &["GET", "HEAD", "POST"][..]),
        (CREATE, &["POST"]),
        ("/v1/orders/1/", &["GET", "HEAD"]),
        ("/v1/orders/1/details/", &["GET", "HEAD"]),
        ("/v1/orders/1/cancel/", &["POST"]),
        ("/v1/orders/1/update/", &["PATCH"]),
        ("/v1/orders/1/tracking/", &["GET", "HEAD"]),
        ("/v1/orders/my-orders/5/", &["GET", "HEAD"]),
        ("/health/", &["GET", "HEAD"]),
        ("/metrics", &["GET", "HEAD"]),
        ("/orders-doc/", &["GET", "HEAD"]),
    ] {
        for method in [
            "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW",
        ] {
            if allowed.contains(&method) {
                continue;
            }
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            let reply = send(app.staff().request(method.clone(), path)).await;
            if method != Method::HEAD {
                reply.assert_problem(405, "method-not-allowed");
            }
            assert_eq!(reply.status, 405, "{method} {path}");
            let mut told: Vec<_> = reply
                .header("allow")
                .unwrap()
                .split(',')
                .map(str::trim)
                .collect();
            told.sort_unstable();
            assert_eq!(told, allowed, "{method} {path}");
        }
    }
}

#[tokio::test]
async fn head_responds_like_get_without_a_body() {
    let app = TestApp::start().await;
    let order_id = app.customer(5).place(&whole_cart()).await.order_id();
    for (path, status) in [
        ("/v1/orders/".to_owned(), 200),
        (format!("/v1/orders/{order_id}/details/"), 200),
        ("/v1/orders/999999/details/".to_owned(), 404),
        ("/v1/orders/?page=0".to_owned(), 400),
        ("/health/".to_owned(), 200),
        ("/orders-doc/".to_owned(), 200),
        ("/nowhere".to_owned(), 404),
    ] {
        let head = send(app.customer(5).request(Method::HEAD, &path)).await;
        let get = app.customer(5).get(&path).await;
        assert_eq!((head.status, head.text.as_str()), (status, ""), "{path}");
        assert_eq!(get.status, status);
        assert_eq!(head.header("content-type"), get.header("content-type"));
        assert!(head.header("x-request-id").is_some());
    }
}

#[tokio::test]
async fn odd_request_targets_are_answered_safely() {
    let app = TestApp::start().await;
    let host = app.base.trim_start_matches("http://").to_owned();
    for (line, expected) in [
        ("GET //health HTTP/1.1".to_owned(), &[200, 404][..]),
        ("GET /health// HTTP/1.1".to_owned(), &[200, 404]),
        ("GET /health/./ HTTP/1.1".to_owned(), &[404]),
        ("GET /v1/../health HTTP/1.1".to_owned(), &[404]),
        ("GET /health?%zz&=&== HTTP/1.1".to_owned(), &[200]),
        ("GET /health#x HTTP/1.1".to_owned(), &[200, 400]),
        (format!("GET http://{host}/health HTTP/1.1"), &[200]),
        ("GET http://elsewhere/health HTTP/1.1".to_owned(), &[200]),
        ("OPTIONS * HTTP/1.1".to_owned(), &[404, 405]),
        (format!("CONNECT {host} HTTP/1.1"), &[400, 404, 405]),
        ("GET health HTTP/1.1".to_owned(), &[400, 404]),
        ("GET  HTTP/1.1".to_owned(), &[400]),
        ("GET /health HTTP/9.9".to_owned(), &[400]),
        ("\0\0\0\0".to_owned(), &[400]),
        (format!("GET /{} HTTP/1.1", "a".repeat(60_000)), &[404, 414]),
    ] {
        let request = format!("{line}\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        let reply = exchange(&app.base, request.as_bytes()).await;
        assert!(
            expected.contains(&reply.status),
            "{}: {reply:?}",
            &line[..line.len().min(80)]
        );
    }
    assert_eq!(app.anonymous().get("/health/").await.status, 200);
}
