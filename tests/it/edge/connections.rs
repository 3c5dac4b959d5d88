//! Connections of stalled clients.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::sleep;

use super::{
    PATIENCE, ask, authorization, connect, connect_narrow, ended, many_orders, until_closed,
};
use crate::support::app::TestApp;
use crate::support::service::eventually;

const HEALTH: &str = "GET /health/live HTTP/1.1\r\nhost: x\r\n\r\n";

/// Settings with one short timeout; every other timeout is long.
fn only(name: &str) -> Vec<(&str, &str)> {
    let mut settings = vec![
        ("HEADER_TIMEOUT_MS", "600000"),
        ("KEEP_ALIVE_MS", "600000"),
        ("WRITE_TIMEOUT_MS", "600000"),
        ("BODY_TIMEOUT_MS", "600000"),
    ];
    settings.push((name, "300"));
    settings
}

#[tokio::test]
async fn a_request_head_sent_byte_by_byte_times_out() {
    let app = TestApp::with(&only("HEADER_TIMEOUT_MS")).await;
    for (begin, goes_on) in [
        ("", false),
        ("G", false),
        ("PRI * HTTP/2.0\r\n", false),
        ("GET / HTTP/1.1\r\nx: ", true),
    ] {
        let began = Instant::now();
        let (mut reader, mut writer) = connect(&app.base).await.into_split();
        writer.write_all(begin.as_bytes()).await.unwrap();
        let dripping = tokio::spawn(async move {
            loop {
                // The pace of a slow client, which this test is about.
                sleep(Duration::from_millis(20)).await;
                if goes_on && writer.write_all(b"x").await.is_err() {
                    return;
                }
            }
        });
        let mut answer = Vec::new();
        let read = tokio::time::timeout(PATIENCE, reader.read_to_end(&mut answer)).await;
        let _ = read.expect("goes on for ever");
        assert!(began.elapsed() >= Duration::from_millis(300), "{begin:?}");
        dripping.abort();
    }
    assert_eq!(ended(&app, "header_timeout").await, 4);
}

#[tokio::test]
async fn an_unfinished_second_head_times_out() {
    let app = TestApp::with(&only("HEADER_TIMEOUT_MS")).await;
    let mut stream = connect(&app.base).await;
    assert!(ask(&mut stream, HEALTH).await.starts_with("HTTP/1.1 200"));
    // A later connection without a request times out first: the timeout does not apply between requests.
    let mut later = connect(&app.base).await;
    assert_eq!(until_closed(&mut later).await, "");
    assert_eq!(ended(&app, "header_timeout").await, 1);
    stream.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();
    assert_eq!(until_closed(&mut stream).await, "ok");
    assert_eq!(ended(&app, "header_timeout").await, 2);
}

#[tokio::test]
async fn an_idle_connection_is_closed() {
    let app = TestApp::with(&only("KEEP_ALIVE_MS")).await;
    let mut stream = connect(&app.base).await;
    assert!(ask(&mut stream, HEALTH).await.starts_with("HTTP/1.1 200"));
    assert_eq!(until_closed(&mut stream).await, "ok");
    assert_eq!(ended(&app, "idle").await, 1);
}

#[tokio::test]
async fn an_idle_http_2_connection_is_closed() {
    let app = TestApp::with(&only("KEEP_ALIVE_MS")).await;
    let client = reqwest::Client::builder()
        .http2_prior_knowledge()
        .build()
        .unwrap();
    for ended_so_far in 0..2 {
        let request = client.get(format!("{}/health/live", app.base));
        let response = request.send().await.unwrap();
        assert_eq!(response.version(), reqwest::Version::HTTP_2);
        assert_eq!(response.text().await.unwrap(), "ok");
        eventually("closed", async || {
            (ended(&app, "idle").await > ended_so_far).then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn an_unread_export_is_aborted() {
    let app = TestApp::with(&only("WRITE_TIMEOUT_MS")).await;
    many_orders(&app, 20_000).await;
    let token = authorization(&app.staff());
    let mut stream = connect_narrow(&app.base, 4096).await;
    let request = format!(
        "GET /v1/orders/export/?format=ndjson HTTP/1.1\r\nhost: x\r\nauthorization: {token}\r\n\r\n"
    );
    assert!(ask(&mut stream, &request).await.starts_with("HTTP/1.1 200"));
    eventually("stalled", async || {
        (ended(&app, "stalled").await == 1).then_some(())
    })
    .await;
    let read = until_closed(&mut stream).await;
    assert!(!read.ends_with("\r\n0\r\n\r\n"), "taken for a whole one");
}

#[tokio::test]
async fn a_slow_but_steady_reader_gets_the_whole_export() {
    let app = TestApp::with(&[("WRITE_TIMEOUT_MS", "1000")]).await;
    many_orders(&app, 4_000).await;
    let token = authorization(&app.staff());
    let mut stream = connect_narrow(&app.base, 128 * 1024).await;
    let request = format!(
        "GET /v1/orders/export/?format=ndjson HTTP/1.1\r\nhost: x\r\nauthorization: {token}\r\n\
            connection: close\r\n\r\n"
    );
    let began = Instant::now();
    assert!(ask(&mut stream, &request).await.starts_with("HTTP/1.1 200"));
    let (mut rows, mut part) = (0, vec![0; 64 * 1024]);
    loop {
        let read = stream.read(&mut part).await.unwrap();
        if read == 0 {
            break;
        }
        rows += part[..read].iter().filter(|&&byte| byte == b'{').count();
        // The pace of a slow client, which this test is about: the whole takes longer than the timeout,
        // no single read does.
        sleep(Duration::from_millis(20)).await;
    }
    assert!(rows >= 4_000, "{rows}");
    assert!(
        began.elapsed() > Duration::from_millis(1000),
        "too fast to tell"
    );
    assert_eq!(ended(&app, "stalled").await, 0);
}

#[tokio::test]
async fn a_stalled_http_2_stream_closes_its_connection() {
    let app = TestApp::with(&only("WRITE_TIMEOUT_MS")).await;
    let mut stream = connect(&app.base).await;
    // The preface, SETTINGS with a window of 0 for every stream, and HEADERS: GET http x /orders-doc/.
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    bytes.extend([0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0]);
    let mut block = vec![0x82, 0x86, 0x04, 12];
    block.extend(b"/orders-doc/");
    block.extend([0x01, 1, b'x']);
    bytes.extend([0, 0, u8::try_from(block.len()).unwrap(), 1, 5, 0, 0, 0, 1]);
    bytes.extend(block);
    stream.write_all(&bytes).await.unwrap();
    let answer = until_closed(&mut stream).await;
    assert!(!answer.contains("<!doctype"), "sent all the same");
    assert_eq!(ended(&app, "stalled").await, 1);
}

#[tokio::test]
async fn connections_above_the_limit_are_answered_with_503() {
    let app = TestApp::with(&[("MAX_CONNECTIONS", "2"), ("METRICS_PORT", "0")]).await;
    let mut held = Vec::new();
    for _ in 0..2 {
        let mut stream = connect(&app.base).await;
        assert!(ask(&mut stream, HEALTH).await.starts_with("HTTP/1.1 200"));
        held.push(stream);
    }
    let mut third = connect(&app.base).await;
    third.write_all(HEALTH.as_bytes()).await.unwrap();
    let answer = until_closed(&mut third).await;
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    assert!(answer.contains("\r\nretry-after: 1\r\n"), "{answer}");
    held.pop();
    eventually("a place", async || {
        let mut stream = connect(&app.base).await;
        ask(&mut stream, HEALTH)
            .await
            .starts_with("HTTP/1.1 200")
            .then_some(())
    })
    .await;
}

#[tokio::test]
async fn silent_connections_do_not_delay_a_shutdown() {
    let mut app = TestApp::with(&[("SHUTDOWN_GRACE_S", "60"), ("HEADER_TIMEOUT_MS", "1000")]).await;
    let silent = connect(&app.base).await;
    let mut idle = connect(&app.base).await;
    assert!(ask(&mut idle, HEALTH).await.starts_with("HTTP/1.1 200"));
    let mut half = connect(&app.base).await;
    half.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();
    let began = Instant::now();
    app.stop().await;
    assert!(
        began.elapsed() < Duration::from_secs(20),
        "{:?}",
        began.elapsed()
    );
    drop((silent, idle, half));
}
