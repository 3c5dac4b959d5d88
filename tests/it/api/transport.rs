//! Content types, content lengths and the transfer of bodies.

use reqwest::Method;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::{CREATE, assert_untouched, send_json, whole_cart};
use crate::support::app::TestApp;
use crate::support::client::{Client, send};
use crate::support::raw_http::exchange;

const LIMIT: usize = 128 * 1024;

/// The Authorization header of this client.
fn authorization(client: &Client) -> String {
    let request = client.request(Method::GET, "/").build().unwrap();
    request.headers()["authorization"]
        .to_str()
        .unwrap()
        .to_owned()
}

/// A raw request head of a placement.
fn head(client: &Client, headers: &str) -> String {
    let authorization = authorization(client);
    format!(
        "POST {CREATE} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: {authorization}\r\n\
         Content-Type: application/json\r\n{headers}\r\n"
    )
}

#[tokio::test]
async fn a_content_type_other_than_json_is_refused() {
    let app = TestApp::start().await;
    let bodies = [whole_cart().to_string(), String::new()];
    for content_type in [
        "text/plain",
        "text/json",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/octet-stream",
        "application",
        "json",
        "application/jsonp",
        "application/json2",
        "",
        ";",
    ] {
        for (method, path) in [
            (Method::POST, CREATE),
            (Method::PATCH, "/v1/orders/1/update/"),
        ] {
            for body in &bodies {
                let request = app.staff().request(method.clone(), path);
                let request = request.header("content-type", content_type);
                let reply = send(request.body(body.clone())).await;
                reply.assert_problem(415, "unsupported-media-type");
            }
        }
    }
    let request = app.staff().request(Method::POST, CREATE);
    send(request.body(bodies[0].clone()))
        .await
        .assert_problem(415, "unsupported-media-type");
    send(app.staff().request(Method::POST, CREATE))
        .await
        .assert_problem(415, "unsupported-media-type");
    assert_untouched(&app).await;
}

#[tokio::test]
async fn json_media_type_variants_are_accepted() {
    let app = TestApp::start().await;
    for content_type in [
        "application/json; charset=utf-8",
        "APPLICATION/JSON",
        "application/json;charset=\"utf-8\"",
        "application/vnd.shop+json",
    ] {
        let request = app.customer(5).request(Method::POST, CREATE);
        let request = request.header("content-type", content_type);
        let reply = send(request.body("{}")).await;
        reply.assert_problem(400, "invalid-request");
    }
}

#[tokio::test]
async fn a_body_at_the_limit_is_read_and_one_above_is_refused() {
    let app = TestApp::start().await;
    let padded = |length: usize| {
        let body = "{}".to_owned();
        body.clone() + &" ".repeat(length - body.len())
    };
    let reply = send_json(&app.customer(5), Method::POST, CREATE, padded(LIMIT)).await;
    reply.assert_problem(400, "invalid-request");
    for path in [CREATE, "/v1/orders/1/cancel/", "/nowhere/"] {
        let reply = send_json(&app.customer(5), Method::POST, path, padded(LIMIT + 1)).await;
        reply.assert_problem(413, "body-too-large");
    }
    assert_untouched(&app).await;
}

#[tokio::test]
async fn a_chunked_body_is_cut_at_the_limit() {
    let app = TestApp::start().await;
    let head = head(&app.customer(5), "Transfer-Encoding: chunked\r\n");
    let chunk = format!("{:x}\r\n{}\r\n", 16 * 1024, " ".repeat(16 * 1024));
    let request = head.clone() + &chunk.repeat(9) + "0\r\n\r\n";
    let reply = exchange(&app.base, request.as_bytes()).await;
    assert_eq!(reply.status, 413, "{reply:?}");
    assert!(reply.body.contains("body-too-large"));

    let request = head.clone() + &chunk.repeat(2) + "2\r\n{}\r\n0\r\n\r\n";
    let reply = exchange(&app.base, request.as_bytes()).await;
    assert_eq!(reply.status, 400, "{reply:?}");
    assert!(reply.body.contains("/items"), "{reply:?}");

    let broken = head + "zz\r\n{}\r\n0\r\n\r\n";
    let reply = exchange(&app.base, broken.as_bytes()).await;
    assert_eq!(reply.status, 400, "{reply:?}");
    assert_untouched(&app).await;
}

#[tokio::test]
async fn a_content_length_above_the_limit_is_refused_unread() {
    let app = TestApp::start().await;
    for length in ["131073", "99999999999", "9223372036854775807"] {
        let head = head(&app.customer(5), &format!("Content-Length: {length}\r\n"));
        let reply = exchange(&app.base, head.as_bytes()).await;
        assert_eq!(reply.status, 413, "{reply:?}");
    }
    for length in ["-1", "x", "1, 2", "18446744073709551616000"] {
        let head = head(&app.customer(5), &format!("Content-Length: {length}\r\n"));
        let reply = exchange(&app.base, head.as_bytes()).await;
        assert_eq!(reply.status, 400, "{reply:?}");
    }
    assert_untouched(&app).await;
}

#[tokio::test]
async fn a_client_that_disconnects_in_mid_body_orders_nothing() {
    let app = TestApp::start().await;
    let body = whole_cart().to_string();
    let length = format!("Content-Length: {}\r\n", body.len());
    let request = head(&app.customer(5), &length) + &body[..body.len() - 1];
    let mut stream = TcpStream::connect(app.base.trim_start_matches("http://"))
        .await
        .unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer).await;
    assert!(
        !answer.starts_with("HTTP/1.1 2") && !answer.starts_with("HTTP/1.1 5"),
        "{answer}"
    );
    assert_untouched(&app).await;
    assert_eq!(app.anonymous().get("/health/").await.status, 200);
}

#[tokio::test]
async fn a_body_that_never_ends_times_out() {
    let app = TestApp::start().await;
    let request = head(&app.customer(5), "Content-Length: 100\r\n") + "{";
    let reply = exchange(&app.base, request.as_bytes()).await;
    assert_eq!(reply.status, 408, "{reply:?}");
    assert!(reply.body.contains("body-too-slow"), "{reply:?}");
    assert_untouched(&app).await;
}

#[tokio::test]
async fn an_unexpected_body_is_ignored() {
    let app = TestApp::start().await;
    for path in [
        "/v1/orders/",
        "/v1/orders/my-orders/5/",
        "/health/",
        "/metrics",
    ] {
        let reply = send_json(&app.customer(5), Method::GET, path, "{\"page\": 0}").await;
        assert_eq!(reply.status, 200, "{reply:?}");
    }
}

#[tokio::test]
async fn http_2_works_without_tls() {
    let app = TestApp::start().await;
    let client = reqwest::Client::builder()
        .http2_prior_knowledge()
        .build()
        .unwrap();
    let request = client
        .post(format!("{}{CREATE}", app.base))
        .header("authorization", authorization(&app.customer(5)))
        .json(&json!({}));
    let response = request.send().await.unwrap();
    assert_eq!(response.version(), reqwest::Version::HTTP_2);
    assert_eq!(response.status(), 400);
}
