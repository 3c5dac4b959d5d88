//! Health routes, responses during a database outage, and request ids.

use reqwest::Method;
use sqlx::Executor as _;

use super::whole_cart;
use crate::support::app::TestApp;
use crate::support::client::send;

const CHECKS: [&str; 2] = ["/health/", "/health/ready/"];

#[tokio::test]
async fn a_service_with_its_database_is_healthy() {
    let app = TestApp::start().await;
    for path in CHECKS {
        let reply = app.anonymous().get(path).await;
        assert_eq!(
            (reply.status, reply.body["status"].as_str()),
            (200, Some("ok"))
        );
        assert_eq!(reply.body["components"]["database"]["status"], "ok");
        assert_eq!(reply.body["version"], env!("CARGO_PKG_VERSION"));
    }
    let live = app.anonymous().get("/health/live").await;
    assert_eq!((live.status, live.text.as_str()), (200, "ok"));
}

/// Live, not ready, and 503 on every route.
async fn assert_unavailable(app: &TestApp) {
    for path in CHECKS {
        let reply = app.anonymous().get(path).await;
        assert_eq!(
            (reply.status, reply.body["status"].as_str()),
            (503, Some("unavailable"))
        );
        assert_eq!(
            reply.body["components"]["database"]["status"],
            "unavailable"
        );
    }
    assert_eq!(app.anonymous().get("/health/live/").await.status, 200);
    assert_eq!(app.anonymous().get("/orders-doc/").await.status, 200);
    assert_eq!(app.anonymous().get("/metrics").await.status, 200);
}

#[tokio::test]
async fn without_its_database_the_service_is_live_but_not_ready() {
    let app = TestApp::with(&[(
        "DATABASE_URL",
        "postgres://orders:hunter2@127.0.0.1:1/orders",
    )])
    .await;
    assert_unavailable(&app).await;
    let customer = app.customer(5);
    for reply in [
        customer.place(&whole_cart()).await,
        customer.place_with_key("key-1", &whole_cart()).await,
        customer.get("/v1/orders/").await,
        customer.get("/v1/orders/my-orders/5/").await,
        customer.details(1).await,
        customer.get("/v1/orders/1/tracking/").await,
        customer.cancel(1).await,
        app.staff()
            .patch(
                "/v1/orders/1/update/",
                &serde_json::json!({ "order_status": "SHIPPED" }),
            )
            .await,
    ] {
        reply.assert_problem(503, "unavailable");
        assert_eq!(reply.header("retry-after"), Some("1"));
        assert!(
            !reply.text.contains("hunter2") && !reply.text.contains("127.0.0.1"),
            "{reply:?}"
        );
    }
    // Invalid requests are still reported as such.
    customer
        .place(&serde_json::json!({}))
        .await
        .assert_problem(400, "invalid-request");
    app.anonymous()
        .get("/v1/orders/")
        .await
        .assert_problem(401, "unauthenticated");
    assert_eq!(app.peer_calls(), 0);
}

#[tokio::test]
async fn a_database_without_tables_is_not_ready() {
    let app = TestApp::start().await;
    let mut connection = app.database.connection().await;
    connection
        .execute("drop schema public cascade; create schema public")
        .await
        .unwrap();
    assert_unavailable(&app).await;
}

#[tokio::test]
async fn the_service_recovers_when_its_database_returns() {
    let app = TestApp::start().await;
    assert_eq!(app.customer(5).place(&whole_cart()).await.status, 201);
    let mut connection = app.database.connection().await;
    connection
        .execute(
            "select pg_terminate_backend(pid) from pg_stat_activity \
             where datname = current_database() and pid <> pg_backend_pid()",
        )
        .await
        .unwrap();
    let reply = crate::support::service::eventually("orders are taken again", async || {
        let reply = app.customer(5).place(&whole_cart()).await;
        if reply.status != 201 {
            reply.assert_problem(503, "unavailable");
        }
        (reply.status == 201).then_some(reply)
    })
    .await;
    assert_eq!(reply.body["order_status"], "CONFIRMED");
}

#[tokio::test]
async fn a_valid_request_id_is_kept() {
    let app = TestApp::start().await;
    let longest = "x".repeat(128);
    for path in ["/health/", "/v1/orders/", "/nowhere", "/orders-doc/"] {
        let ask = async |id: &[u8]| {
            let request = app.anonymous().request(Method::GET, path);
            let reply = send(request.header("X-Request-ID", id)).await;
            if reply.status >= 400 {
                assert_eq!(
                    reply.body["request_id"].as_str(),
                    reply.header("x-request-id")
                );
            }
            reply.header("x-request-id").unwrap().to_owned()
        };
        for id in [
            "a",
            "0b6a7a3c-5d5c-4b9e-9d0a-6f3f7f1f2c11",
            "a/b=c;d\"<e>",
            &longest,
        ] {
            assert_eq!(ask(id.as_bytes()).await, id, "{path}");
        }
        let too_long = "x".repeat(129);
        for id in [
            &b""[..],
            b"two words",
            b"a\tb",
            b"\xff\xfe",
            "ü".as_bytes(),
            too_long.as_bytes(),
        ] {
            let made = ask(id).await;
            assert!(uuid::Uuid::try_parse(&made).is_ok(), "{path}: {made}");
        }
        let first = app.anonymous().get(path).await;
        let second = app.anonymous().get(path).await;
        assert_ne!(first.header("x-request-id"), second.header("x-request-id"));
    }
}
