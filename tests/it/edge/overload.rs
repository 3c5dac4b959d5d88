//! Request timeouts and load shedding.

use std::time::{Duration, Instant};

use tokio::io::AsyncWriteExt as _;
use tokio::time::sleep;

use super::{authorization, connect, metric, refused, until_closed};
use crate::support::app::TestApp;
use crate::support::client::cart;
use crate::support::database::TestDatabase;
use crate::support::proxy::Proxy;
use crate::support::service::eventually;

#[tokio::test]
async fn a_body_sent_byte_by_byte_times_out() {
    let app = TestApp::with(&[("BODY_TIMEOUT_MS", "300")]).await;
    let token = authorization(&app.customer(5));
    let mut stream = connect(&app.base).await;
    let head = format!(
        "POST /v1/orders/create/ HTTP/1.1\r\nhost: x\r\nauthorization: {token}\r\nconnection: close\r\n\
            content-type: application/json\r\ncontent-length: 10000\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let began = Instant::now();
    while stream.write_all(b"{").await.is_ok() && began.elapsed() < Duration::from_millis(250) {
        // The pace of a slow client, which this test is about.
        sleep(Duration::from_millis(20)).await;
    }
    let answer = until_closed(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!(answer.contains("body-too-slow"), "{answer}");
    let took = began.elapsed();
    assert!(
        (Duration::from_millis(300)..Duration::from_secs(10)).contains(&took),
        "{took:?}"
    );
    assert_eq!(refused(&app, "body-too-slow").await, 1);
}

/// A service whose database has become unresponsive.
async fn hanging(settings: &[(&str, &str)]) -> (TestApp, Proxy) {
    let database = TestDatabase::new().await;
    let proxy = Proxy::start(&database.options).await;
    let app = TestApp::reaching(database, &proxy.url(), settings).await;
    assert_eq!(app.customer(5).get("/v1/orders/").await.status, 200);
    proxy.fall_silent();
    (app, proxy)
}

#[tokio::test]
async fn a_request_that_takes_too_long_is_aborted() {
    let settings = [("REQUEST_TIMEOUT_MS", "2000"), ("SETTLE_WAIT_MS", "100")];
    let (app, proxy) = hanging(&settings).await;
    let reply = app.customer(5).place(&cart("SKU0001", 1, "10.00")).await;
    reply.assert_problem(503, "timed-out");
    assert_eq!(reply.header("retry-after"), Some("1"));
    assert_eq!(refused(&app, "timed-out").await, 1);
    drop(proxy);
}

#[tokio::test]
async fn an_overloaded_service_sheds_load_and_answers_probes() {
    let (app, proxy) = hanging(&[("MAX_REQUESTS", "2")]).await;
    let waiting: Vec<_> = (0..2)
        .map(|_| {
            let customer = app.customer(5);
            tokio::spawn(async move { customer.get("/v1/orders/").await })
        })
        .collect();
    // The scrape itself is in flight as well.
    eventually("under way", async || {
        (metric(&app, "http_requests_in_flight").await == 3).then_some(())
    })
    .await;
    let customer = app.customer(5);
    let overloaded = customer.details(1).await;
    overloaded.assert_problem(503, "overloaded");
    assert_eq!(overloaded.header("retry-after"), Some("1"));
    assert_eq!(app.anonymous().get("/health/live").await.status, 200);
    assert_eq!(refused(&app, "overloaded").await, 1);
    proxy.come_back().await;
    for reply in waiting {
        reply.await.unwrap();
    }
    eventually("a place", async || {
        (customer.get("/v1/orders/").await.status == 200).then_some(())
    })
    .await;
}
