//! The database is down or unresponsive, and recovers.

use std::time::{Duration, Instant};

use serde_json::json;

use super::behind_a_proxy;
use crate::support::app::TestApp;
use crate::support::client::{Reply, cart};
use crate::support::service::eventually;

/// Turns parcel tracking off: requests meet the broken connections first.
const AT_REST: &[(&str, &str)] = &[
    ("FOLLOW_INTERVAL_MS", "86400000"),
    ("POLL_INTERVAL_MS", "60000"),
];

/// Sends one request of every kind that needs the database, concurrently.
async fn ask_everything(app: &TestApp, order_id: i64) -> Vec<Reply> {
    let (customer, staff) = (app.customer(5), app.staff());
    let path = |verb: &str| format!("/v1/orders/{order_id}/{verb}/");
    let ops = |verb: &str| format!("/v1/ops/orders/{order_id}/{verb}/");
    let (body, reason) = (cart("SKU0001", 1, "10.00"), json!({ "reason": "repaired" }));
    let resolution = json!({ "outcome": "cancelled", "reason": "by hand" });
    let shipped = json!({ "order_status": "SHIPPED" });
    let (tracking, update, retry, resolve) = (
        path("tracking"),
        path("update"),
        ops("retry"),
        ops("resolve"),
    );
    let replies = tokio::join!(
        customer.place(&body),
        customer.place_with_key("key-1", &body),
        customer.cancel(order_id),
        customer.details(order_id),
        customer.get(&tracking),
        customer.get("/v1/orders/"),
        customer.get("/v1/orders/my-orders/5/"),
        staff.patch(&update, &shipped),
        staff.get("/v1/ops/orders/stuck/"),
        staff.post(&retry, &reason),
        staff.post(&resolve, &resolution),
    );
    let (a, b, c, d, e, f, g, h, i, j, k) = replies;
    vec![a, b, c, d, e, f, g, h, i, j, k]
}

#[tokio::test]
async fn a_database_outage_is_a_quick_503_and_then_recovers() {
    let (app, proxy) = behind_a_proxy(AT_REST).await;
    let placed = app.customer(5).place(&cart("SKU0001", 1, "10.00")).await;
    assert_eq!(placed.status, 201, "{placed:?}");
    proxy.go_away();
    let asked = Instant::now();
    for reply in ask_everything(&app, placed.order_id()).await {
        reply.assert_problem(503, "unavailable");
        assert_eq!(reply.header("retry-after"), Some("1"));
    }
    assert_eq!(app.anonymous().get("/health/ready/").await.status, 503);
    assert_eq!(app.anonymous().get("/health/live/").await.status, 200);
    assert_eq!(app.anonymous().get("/metrics").await.status, 200);
    assert!(
        asked.elapsed() < Duration::from_secs(2),
        "{:?}",
        asked.elapsed()
    );
    proxy.come_back().await;
    eventually("it is ready", async || {
        let ready = app.anonymous().get("/health/ready/").await;
        (ready.status == 200).then_some(())
    })
    .await;
    for reply in ask_everything(&app, placed.order_id()).await {
        assert!(reply.status < 500, "{reply:?}");
    }
}

#[tokio::test]
async fn an_unresponsive_database_times_out_at_the_limit() {
    let settings = [AT_REST, &[("DATABASE_WAIT_MS", "3000")]].concat();
    let (app, proxy) = behind_a_proxy(&settings).await;
    let placed = app.customer(5).place(&cart("SKU0001", 1, "10.00")).await;
    assert_eq!(placed.status, 201, "{placed:?}");
    proxy.fall_silent();
    let asked = Instant::now();
    let health = async {
        assert_eq!(app.anonymous().get("/health/ready/").await.status, 503);
        assert!(
            asked.elapsed() < Duration::from_secs(5),
            "not ready so late"
        );
    };
    let (replies, ()) = tokio::join!(ask_everything(&app, placed.order_id()), health);
    for reply in replies {
        reply.assert_problem(503, "unavailable");
    }
    assert!(
        asked.elapsed() < Duration::from_secs(15),
        "{:?}",
        asked.elapsed()
    );
    // Idle connections that became unresponsive are not waited for.
    let asked = Instant::now();
    let details = app.customer(5).details(placed.order_id()).await;
    details.assert_problem(503, "unavailable");
    assert!(
        asked.elapsed() < Duration::from_secs(6),
        "{:?}",
        asked.elapsed()
    );
    proxy.come_back().await;
    eventually("orders are taken again", async || {
        let placed = app.customer(5).place(&cart("SKU0001", 1, "10.00")).await;
        (placed.status == 201).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_database_restart_between_requests_causes_no_error() {
    let (app, proxy) = behind_a_proxy(AT_REST).await;
    let placed = app.customer(5).place(&cart("SKU0001", 1, "10.00")).await;
    assert_eq!(placed.status, 201, "{placed:?}");
    for _ in 0..3 {
        // Fills the pool, then cuts all of its connections.
        ask_everything(&app, placed.order_id()).await;
        proxy.come_back().await;
        for reply in ask_everything(&app, placed.order_id()).await {
            assert!(reply.status < 500, "{reply:?}");
        }
        proxy.come_back().await;
        assert_eq!(app.anonymous().get("/health/ready/").await.status, 200);
    }
}
