//! The service with published keys: startup, responses without keys, and what it reports about
//! them.

use serde_json::json;

use crate::support::app::TestApp;
use crate::support::client::{Client, Reply};
use crate::support::issuer::Issuer;
use crate::support::key_host::KeyHost;
use crate::support::service::eventually;
use crate::support::visitor::{Visitor, assert_page};

async fn ask(app: &TestApp, token: &str) -> Reply {
    let client = Client::with_token(&app.base, token.to_owned());
    client.get("/v1/orders/").await
}

/// The value of a metric.
async fn sample(app: &TestApp, name: &str) -> f64 {
    let text = app.anonymous().get("/metrics").await.text;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(&format!("{name} ")));
    line.map_or(0.0, |value| value.parse().unwrap())
}

/// The status of the readiness response and the state of the keys in it.
async fn readiness(app: &TestApp) -> (u16, String) {
    let reply = app.anonymous().get("/health/ready/").await;
    let keys = &reply.body["components"]["token_keys"]["status"];
    (reply.status, keys.as_str().unwrap().to_owned())
}

async fn until_readiness(app: &TestApp, status: u16, keys: &str) {
    let expected = (status, keys.to_owned());
    eventually(keys, async || {
        (readiness(app).await == expected).then_some(())
    })
    .await;
}

#[tokio::test]
async fn without_its_issuer_the_service_starts_but_is_not_ready() {
    let issuer = Issuer::es256();
    let host = KeyHost::start(&[issuer.jwk("one")]).await;
    host.fail(503);
    let app = host.app(&issuer, &[("JWT_JWKS_REFRESH_S", "1")]).await;
    until_readiness(&app, 503, "unavailable").await;
    let token = issuer.token_by("one");
    let reply = ask(&app, &token).await;
    reply.assert_problem(503, "unavailable");
    assert_eq!(reply.header("retry-after"), Some("5"));
    assert_eq!(reply.header("www-authenticate"), None);
    // Requests that no key could validate are refused as usual.
    for (client, what) in [(app.anonymous(), "none"), (app.customer(5), "HS256")] {
        let reply = client.get("/v1/orders/").await;
        assert_eq!(reply.status, 401, "{what}");
    }
    assert_eq!(app.anonymous().get("/health/live/").await.status, 200);
    assert_eq!(sample(&app, "jwt_keys").await, 0.0);
    // Existing sessions stay signed in.
    let visitor = Visitor::with_cookie(&app, &format!("order_session={token}"));
    let page = visitor.get("/v1/orders/my-orders/5/").await;
    assert_page(&page, 503);
    assert_eq!(page.header("set-cookie"), None);

    host.publish(&[issuer.jwk("one")]);
    until_readiness(&app, 200, "ok").await;
    assert_eq!(ask(&app, &token).await.status, 200);
    assert_page(&visitor.get("/v1/orders/my-orders/5/").await, 200);
}

#[tokio::test]
async fn the_service_starts_when_the_issuer_refuses_connections() {
    let app = TestApp::with(&[
        ("SECRET_KEY", ""),
        ("JWT_JWKS_URL", "http://127.0.0.1:9/keys"),
    ])
    .await;
    let reply = ask(&app, &Issuer::rs256().token_by("one")).await;
    reply.assert_problem(503, "unavailable");
    until_readiness(&app, 503, "unavailable").await;
}

#[tokio::test]
async fn key_rotation_fails_no_request() {
    let (old, new) = (Issuer::rs256(), Issuer::rs256());
    let host = KeyHost::start(&[old.jwk("old")]).await;
    let app = host.app(&old, &[("JWT_JWKS_REFRESH_S", "1")]).await;
    until_readiness(&app, 200, "ok").await;
    assert_eq!(ask(&app, &old.token_by("old")).await.status, 200);
    // The new key is published beside the old one, then used for signing.
    host.publish(&[old.jwk("old"), new.jwk("new")]);
    assert_eq!(ask(&app, &new.token_by("new")).await.status, 200);
    assert_eq!(ask(&app, &old.token_by("old")).await.status, 200);
    assert_eq!(sample(&app, "jwt_keys").await, 2.0);
    // Then the old key is withdrawn.
    host.publish(&[new.jwk("new")]);
    eventually("the old key is gone", async || {
        let status = ask(&app, &old.token_by("old")).await.status;
        (status == 401).then_some(())
    })
    .await;
    assert_eq!(ask(&app, &new.token_by("new")).await.status, 200);
}

#[tokio::test]
async fn an_issuer_outage_is_reported_and_fails_no_request() {
    let issuer = Issuer::eddsa();
    let host = KeyHost::start(&[issuer.jwk("one")]).await;
    let app = host.app(&issuer, &[("JWT_JWKS_REFRESH_S", "1")]).await;
    until_readiness(&app, 200, "ok").await;
    let fetched = sample(&app, "jwt_keys_fetched_timestamp_seconds").await;
    assert!(fetched > 1_700_000_000.0, "{fetched}");
    let count = |outcome: &str| {
        format!(
            "peer_call_duration_seconds_count{{operation=\"keys\",outcome=\"{outcome}\",peer=\"issuer\"}}"
        )
    };
    assert!(sample(&app, &count("yes")).await >= 1.0);
    host.answer(crate::support::key_host::document(&[
        json!({ "kty": "oct" }),
    ]));
    until_readiness(&app, 200, "stale").await;
    assert!(sample(&app, &count("unclear")).await >= 1.0);
    assert_eq!(ask(&app, &issuer.token_by("one")).await.status, 200);
    // An unknown key id causes a fetch, which fails, so the token can be neither accepted nor
    // refused.
    ask(&app, &issuer.token_by("two"))
        .await
        .assert_problem(401, "unauthenticated");
}

#[tokio::test]
async fn a_flood_of_unknown_key_ids_causes_one_fetch() {
    let issuer = Issuer::es256();
    let host = KeyHost::start(&[issuer.jwk("one")]).await;
    let app = host.app(&issuer, &[]).await;
    until_readiness(&app, 200, "ok").await;
    let before = host.asked();
    let storm = (0..60).map(|name| {
        let token = issuer.token_by(&format!("made-up-{name}"));
        let client = Client::with_token(&app.base, token);
        async move { client.get("/v1/orders/").await.status }
    });
    let statuses = futures_util::future::join_all(storm).await;
    assert!(statuses.iter().all(|status| *status == 401), "{statuses:?}");
    assert_eq!(host.asked(), before + 1);
    assert_eq!(ask(&app, &issuer.token_by("one")).await.status, 200);
}
