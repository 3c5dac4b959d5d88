//! Rate limits.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use reqwest::Method;

use super::refused;
use crate::support::app::TestApp;
use crate::support::client::{Client, Reply, send};
use crate::support::service::eventually;
use crate::support::visitor::{Visitor, assert_page};

/// A burst of three, refilled at one per second.
const TIGHT: [(&str, &str); 2] = [("RATE_LIMIT_PER_S", "1"), ("RATE_LIMIT_BURST", "3")];

const LIST: &str = "/v1/orders/";

/// Sends requests until one is refused. Returns the number of accepted ones and the refusal.
async fn exhaust(client: &Client, path: &str) -> (usize, Reply) {
    for answered in 0..1_000 {
        let reply = client.get(path).await;
        if reply.status == 429 {
            return (answered, reply);
        }
    }
    panic!("answered a thousand times")
}

#[tokio::test]
async fn a_rate_limited_caller_is_told_when_to_retry() {
    let app = TestApp::with(&TIGHT).await;
    let customer = app.customer(5);
    let first = customer.get(LIST).await;
    assert_eq!(
        first.header("ratelimit-policy"),
        Some("\"default\";q=3;w=3")
    );
    assert_eq!(first.header("ratelimit"), Some("\"default\";r=2;t=1"));
    let (_, reply) = exhaust(&customer, LIST).await;
    reply.assert_problem(429, "rate-limited");
    assert_eq!(reply.header("retry-after"), Some("1"));
    assert_eq!(reply.header("ratelimit"), Some("\"default\";r=0;t=1"));
    assert!(refused(&app, "rate-limited").await >= 1);
    // Other callers are not limited.
    assert_eq!(app.customer(6).get(LIST).await.status, 200);
    let began = Instant::now();
    eventually("again", async || {
        (customer.get(LIST).await.status == 200).then_some(())
    })
    .await;
    assert!(began.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn staff_and_peers_have_ten_times_the_rate_limit() {
    let app = TestApp::with(&TIGHT).await;
    for colleague in [app.staff(), app.service()] {
        let asked = (0..300).map(|_| colleague.get(LIST));
        let replies = join_all(asked).await;
        let answered = replies.iter().filter(|reply| reply.status != 429);
        let answered = answered.count();
        assert!((30..300).contains(&answered), "{answered}");
        let policy = replies[0].header("ratelimit-policy");
        assert_eq!(policy, Some("\"staff\";q=30;w=3"));
    }
}

#[tokio::test]
async fn anonymous_callers_are_limited_by_address() {
    let app = TestApp::with(&TIGHT).await;
    let forged = Client::with_token(&app.base, "x.y.z".to_owned());
    let (answered, _) = exhaust(&forged, LIST).await;
    assert!((3..10).contains(&answered), "{answered}");
    for (path, client) in [
        (LIST, app.anonymous()),
        ("/nowhere/", app.anonymous()),
        ("/orders-doc/openapi.json", forged),
        ("/problems/not-found/", app.anonymous()),
    ] {
        let (answered, reply) = exhaust(&client, path).await;
        assert!(answered < 3, "{path} was answered {answered} times");
        reply.assert_problem(429, "rate-limited");
    }
    // Authenticated callers and health probes are not limited.
    assert_eq!(app.customer(5).get(LIST).await.status, 200);
    for _ in 0..20 {
        assert_eq!(app.anonymous().get("/health/").await.status, 200);
        assert_eq!(app.anonymous().get("/metrics").await.status, 200);
    }
}

#[tokio::test]
async fn a_trusted_proxy_names_the_client_address() {
    let ask = async |app: &TestApp, from: &'static str| {
        let request = app.anonymous().request(Method::GET, "/problems/not-found/");
        send(request.header("x-forwarded-for", from)).await.status
    };
    let trusting = TestApp::with(&[TIGHT[0], TIGHT[1], ("TRUSTED_PROXIES", "127.0.0.0/8")]).await;
    let without_trusted_proxies = TestApp::with(&TIGHT).await;
    let (mut of_trusting, mut of_other) = (Vec::new(), Vec::new());
    for from in [
        "1.1.1.1", "1.1.1.2", "1.1.1.3", "1.1.1.4", "1.1.1.5", "1.1.1.6",
    ] {
        of_trusting.push(ask(&trusting, from).await);
        of_other.push(ask(&without_trusted_proxies, from).await);
    }
    assert_eq!(of_trusting, [200; 6]);
    assert!(of_other.contains(&429), "{of_other:?}");
}

#[tokio::test]
async fn sign_in_attempts_are_rate_limited() {
    let app = TestApp::with(&[("SIGN_IN_LIMIT_PER_MIN", "3")]).await;
    let visitor = Visitor::stranger(&app);
    for _ in 0..3 {
        assert_eq!(visitor.sign_in("customer5", "wrong", "/").await.status, 401);
    }
    let reply = visitor.sign_in(" Customer5 ", "customer5", "/").await;
    assert_page(&reply, 429);
    let wait: u64 = reply.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
    assert!(reply.text.contains("too many attempts"), "{}", reply.text);
    assert_eq!(
        visitor.sign_in("customer6", "customer6", "/").await.status,
        303
    );
    // Many names from one address are limited as well.
    let mut statuses = Vec::new();
    for number in 0..30 {
        let name = format!("nobody{number}");
        statuses.push(visitor.sign_in(&name, "wrong", "/").await.status);
    }
    assert_eq!(statuses.last(), Some(&429), "{statuses:?}");
}

#[tokio::test]
async fn without_a_rate_limit_no_headers_are_sent() {
    let none = [("RATE_LIMIT_PER_S", "0"), ("SIGN_IN_LIMIT_PER_MIN", "0")];
    let app = TestApp::with(&none).await;
    let reply = app.customer(5).get(LIST).await;
    assert_eq!((reply.status, reply.header("ratelimit")), (200, None));
    for _ in 0..15 {
        let reply = Visitor::stranger(&app)
            .sign_in("customer5", "wrong", "/")
            .await;
        assert_eq!(reply.status, 401);
    }
}
