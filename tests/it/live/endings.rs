//! How streams end, and when they are refused.

use std::time::{Duration, Instant};

use order_service::auth::TokenClaims;
use order_service::clock;
use serde_json::json;
use sqlx::Executor as _;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpSocket;

use super::{AT_REST, QUICK, place, ship};
use crate::support::app::TestApp;
use crate::support::client::{Client, claims, send, token};
use crate::support::service::eventually;
use crate::support::subscriber::{Subscriber, ids, request};

/// A gauge or counter without labels.
async fn metric(app: &TestApp, name: &str) -> i64 {
    let text = app.anonymous().get("/metrics").await.text;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(&format!("{name} ")));
    line.unwrap().parse().unwrap()
}

async fn until_subscribers(app: &TestApp, count: i64) {
    eventually("listeners", async || {
        (metric(app, "live_listeners").await == count).then_some(())
    })
    .await;
}

fn expiring(app: &TestApp, customer_id: i64, in_seconds: i64) -> Client {
    let claims = TokenClaims {
        exp: clock::now().unix_timestamp() + in_seconds,
        user_id: Some(json!(customer_id)),
        ..claims()
    };
    Client::with_token(&app.base, token(&claims))
}

#[tokio::test]
async fn a_stream_ends_when_its_token_expires() {
    let app = TestApp::with(&[AT_REST, QUICK, ("JWT_LEEWAY_S", "0")]).await;
    let order_id = place(&app).await;
    let client = expiring(&app, 5, 2);
    let began = Instant::now();
    let mut listener = Subscriber::start(&client, order_id, Some(5)).await;
    assert_eq!(listener.next().await, None);
    assert!(began.elapsed() < Duration::from_secs(10));
    let again = eventually("expired", async || {
        let reply = send(request(&client, order_id, Some(5)).timeout(Duration::from_secs(1)));
        let reply = reply.await;
        (reply.status != 200).then_some(reply)
    });
    again.await.assert_problem(401, "unauthenticated");
    until_subscribers(&app, 0).await;
}

#[tokio::test]
async fn a_stream_ends_at_its_maximum_age_and_can_be_resumed() {
    let app = TestApp::with(&[AT_REST, QUICK, ("LIVE_MAX_AGE_S", "1")]).await;
    let order_id = place(&app).await;
    let customer = app.customer(5);
    let mut listener = Subscriber::start(&customer, order_id, Some(5)).await;
    assert_eq!(listener.next().await, None);
    assert_eq!(ship(&app.staff(), order_id, "SHIPPED").await, 200);
    let mut listener = Subscriber::start(&customer, order_id, Some(5)).await;
    assert_eq!(ids(&listener.rest().await), [6, 7]);
}

#[tokio::test]
async fn a_shutdown_ends_streams_after_it_stops_accepting() {
    let mut app = TestApp::with(&[AT_REST, QUICK, ("SHUTDOWN_DRAIN_MS", "1500")]).await;
    let order_id = place(&app).await;
    let (customer, staff) = (app.customer(5), app.staff());
    let mut listener = Subscriber::start(&customer, order_id, Some(5)).await;
    let anonymous = app.anonymous();
    let began = Instant::now();
    let stopped = async {
        app.stop().await;
        began.elapsed()
    };
    let heard = async {
        eventually("not ready", async || {
            (anonymous.get("/health/ready").await.status == 503).then_some(())
        })
        .await;
        // New streams are accepted while load balancers drain the instance.
        assert_eq!(ship(&staff, order_id, "SHIPPED").await, 200);
        let heard = ids(&listener.until("order_shipped").await);
        assert_eq!(listener.next().await, None);
        (heard, began.elapsed())
    };
    let (stopped, (heard, ended)) = tokio::join!(stopped, heard);
    assert_eq!(heard, [6, 7]);
    let drain = Duration::from_millis(1500);
    assert!(ended >= drain, "{ended:?}");
    assert!(stopped < drain + Duration::from_secs(10), "{stopped:?}");
}

#[tokio::test]
async fn a_slow_subscriber_is_dropped_without_affecting_others() {
    const EVENTS: i64 = 180;
    const AT_ONCE: i64 = 10;
    let app = TestApp::with(&[AT_REST, QUICK]).await;
    let order_id = place(&app).await;
    let mut reader = Subscriber::start(&app.customer(5), order_id, Some(5)).await;
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let address = app.base.trim_start_matches("http://").parse().unwrap();
    let mut sleeper = socket.connect(address).await.unwrap();
    let claims = TokenClaims {
        user_id: Some(json!(5)),
        ..claims()
    };
    let head = format!(
        "GET /v1/orders/{order_id}/events/ HTTP/1.1\r\nhost: x\r\naccept: text/event-stream\r\n\
            authorization: Bearer {}\r\n\r\n",
        token(&claims)
    );
    sleeper.write_all(head.as_bytes()).await.unwrap();
    until_subscribers(&app, 2).await;
    let mut connection = app.database.connection().await;
    let sql = format!(
        "with moved as (
            update orders set version = version + {AT_ONCE} where order_id = {order_id} returning version
        )
        insert into order_events (order_id, seq, code, actor, data)
        select {order_id}, version - {AT_ONCE} + n, 'parcel_moved', 'staff:1',
            jsonb_build_object('carrier_status', repeat('x', 100000))
        from moved, generate_series(1, {AT_ONCE}) n"
    );
    // At a pace that reading subscribers keep up with.
    for seq in 6..6 + EVENTS {
        if (seq - 6) % AT_ONCE == 0 {
            let sql = sqlx::AssertSqlSafe(sql.clone());
            connection.execute(sql).await.unwrap();
        }
        assert_eq!(reader.next().await.unwrap().id, seq);
    }
    eventually("dropped", async || {
        (metric(&app, "live_listeners_dropped_total").await == 1).then_some(())
    })
    .await;
    assert_eq!(metric(&app, "live_listeners").await, 1);
    assert!(metric(&app, "live_events_sent_total").await >= EVENTS);
    drop(sleeper);
}

#[tokio::test]
async fn subscribers_are_limited_in_total_and_per_caller() {
    let limits = [("LIVE_MAX_LISTENERS", "2"), ("LIVE_MAX_PER_CALLER", "1")];
    let app = TestApp::with(&[AT_REST, QUICK, limits[0], limits[1]]).await;
    let order_id = place(&app).await;
    let first = Subscriber::start(&app.customer(5), order_id, None).await;
    let again = send(request(&app.customer(5), order_id, None)).await;
    again.assert_problem(429, "too-many-listeners");
    assert_eq!(again.header("retry-after"), Some("5"));
    let second = Subscriber::start(&app.staff(), order_id, None).await;
    let third = send(request(&app.service(), order_id, None)).await;
    third.assert_problem(503, "unavailable");
    assert_eq!(third.header("retry-after"), Some("5"));
    assert_eq!(metric(&app, "live_listeners").await, 2);
    drop((first, second));
    until_subscribers(&app, 0).await;
    drop(Subscriber::start(&app.customer(5), order_id, None).await);
}

#[tokio::test]
async fn a_stream_stays_open_until_the_late_arrival_check() {
    let delay = ("SWEEP_AFTER_MS", "1000");
    let app = TestApp::with(&[AT_REST, QUICK, delay]).await;
    let order_id = place(&app).await;
    assert_eq!(app.customer(5).cancel(order_id).await.status, 200);
    let mut listener = Subscriber::start(&app.customer(5), order_id, None).await;
    let is_checked = async || {
        let sql = "select due_at is null from fulfilments where order_id = $1";
        let is_checked: bool = sqlx::query_scalar(sql)
            .bind(order_id)
            .fetch_one(&mut app.database.connection().await)
            .await
            .unwrap();
        is_checked
    };
    let heard = listener.rest().await;
    assert_eq!(heard.last().unwrap().code, "order_cancelled");
    assert!(is_checked().await, "ended before it was over");
}
