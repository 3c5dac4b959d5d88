//! The separate port for metrics and health.

use std::time::Duration;

use tokio::time::timeout;

use super::connect;
use crate::support::app::TestApp;
use crate::support::client::Client;

#[tokio::test]
async fn metrics_can_have_their_own_port() {
    let app = TestApp::with(&[("METRICS_PORT", "0")]).await;
    let operators = Client::anonymous(&app.metrics_base());
    for path in ["/metrics", "/health/", "/health/ready", "/health/live"] {
        assert_eq!(operators.get(path).await.status, 200, "{path}");
    }
    let metrics = operators.get("/metrics").await;
    assert!(
        metrics.text.contains("\nhttp_connections "),
        "{}",
        metrics.text
    );
    for path in ["/v1/orders/", "/sign-in/", "/orders-doc/"] {
        let response = operators.request(reqwest::Method::GET, path).send().await;
        assert_eq!(response.unwrap().status(), 404, "{path}");
    }
    let response = app
        .anonymous()
        .request(reqwest::Method::GET, "/metrics")
        .send()
        .await;
    assert_eq!(response.unwrap().status(), 404);
    assert_eq!(app.anonymous().get("/health/").await.status, 200);
}

#[tokio::test]
async fn the_metrics_port_requires_the_metrics_token() {
    let settings = [("METRICS_PORT", "0"), ("METRICS_TOKEN", "let-me-in")];
    let app = TestApp::with(&settings).await;
    let base = app.metrics_base();
    let stranger = Client::anonymous(&base).get("/metrics").await;
    stranger.assert_problem(401, "unauthenticated");
    let known = Client::with_token(&base, "let-me-in".to_owned());
    assert_eq!(known.get("/metrics").await.status, 200);
}

#[tokio::test]
async fn the_metrics_port_answers_at_the_connection_limit() {
    let app = TestApp::with(&[("METRICS_PORT", "0"), ("MAX_CONNECTIONS", "1")]).await;
    let held = connect(&app.base).await;
    let operators = Client::anonymous(&app.metrics_base());
    let asked = timeout(Duration::from_secs(10), operators.get("/metrics")).await;
    assert_eq!(asked.expect("not answered").status, 200);
    drop(held);
}

#[tokio::test]
async fn a_shutdown_closes_both_ports() {
    let mut app = TestApp::with(&[("METRICS_PORT", "0")]).await;
    let base = app.metrics_base();
    let running = app.take();
    timeout(Duration::from_secs(20), running.stop())
        .await
        .expect("does not stop");
    let address = base.trim_start_matches("http://").to_owned();
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}
