//! Redirects: the same request is repeated to the same server, or not at all.

use serde_json::json;

use super::*;

fn paid() -> ScriptedReply {
    ScriptedReply::json(201, json!({"status": "SUCCESS", "payment_id": 1}))
}

#[tokio::test]
async fn a_redirect_to_a_slash_keeps_method_and_body() {
    for status in [307, 308] {
        let fixture = PeersFixture::new([
            ScriptedReply::redirect(status, "/v1/payments/charge/"),
            paid(),
        ])
        .await;
        let answer = fixture.peers.payment.charge(TAG, &charge()).await;
        assert_eq!(answer.label(), "yes");
        let requests = fixture.server.requests();
        assert_eq!(requests[1].method, "POST");
        assert_eq!(requests[1].target, "/v1/payments/charge/");
        assert_eq!(requests[1].body, requests[0].body);
        assert_eq!(requests[1].headers["idempotency-key"], TAG.idempotency_key);
        assert_eq!(requests[1].headers, requests[0].headers);
    }
}

#[tokio::test]
async fn an_absolute_redirect_to_the_same_server_is_followed() {
    let fixture = PeersFixture::new([]).await;
    let own = fixture
        .server
        .url()
        .join("/v1/shipments/5/status/")
        .unwrap();
    fixture.server.then(ScriptedReply::redirect(308, own));
    fixture.server.then(ScriptedReply::text(200, "{}"));
    let answer = fixture.peers.shipping.cancel(TAG, "5").await;
    assert_eq!(answer.label(), "yes");
    let requests = fixture.server.requests();
    assert_eq!(requests[1].method, "PATCH");
    assert_eq!(requests[1].body, requests[0].body);
}

#[tokio::test]
async fn a_redirect_to_another_server_is_not_followed() {
    let other = Scripted::start([paid(), paid()]).await;
    let mut port_of_other = other.url();
    port_of_other.set_path("/v1/payments/charge/");
    for to in [
        port_of_other.as_str(),
        "https://127.0.0.1/",
        "//peer.invalid/",
    ] {
        let fixture = PeersFixture::new([ScriptedReply::redirect(307, to)]).await;
        let answer = fixture.peers.payment.charge(TAG, &charge()).await;
        assert_eq!(answer.label(), "unclear");
        assert!(reason(&answer).contains("another server"), "{answer:?}");
    }
    assert!(other.requests().is_empty());
}

#[tokio::test]
async fn a_post_redirected_with_301_302_or_303_is_unclear() {
    for status in [301, 302, 303] {
        let fixture = PeersFixture::new([ScriptedReply::redirect(status, "/login"), paid()]).await;
        let answer = fixture.peers.payment.charge(TAG, &charge()).await;
        assert_eq!(answer.label(), "unclear");
        let said = reason(&answer);
        assert!(said.contains(&status.to_string()), "{said}");
        assert!(
            said.contains("/login, which is not followed on POST"),
            "{said}"
        );
        assert_eq!(fixture.server.requests().len(), 1);
    }
}

#[tokio::test]
async fn a_get_follows_every_redirect_except_303() {
    for status in [301, 302, 307, 308] {
        let to = "/v1/payments/?order_id=42";
        let fixture = PeersFixture::new([
            ScriptedReply::redirect(status, to),
            ScriptedReply::text(200, "[]"),
        ])
        .await;
        let answer = fixture.peers.payment.find(TAG, ORDER).await;
        assert_eq!(answer.label(), "yes", "{status}");
        assert_eq!(fixture.server.requests()[1].target, to);
    }
    let fixture = PeersFixture::new([ScriptedReply::redirect(303, "/elsewhere")]).await;
    let answer = fixture.peers.payment.find(TAG, ORDER).await;
    assert_eq!(answer.label(), "unclear");
}

#[tokio::test]
async fn three_redirects_are_followed_and_a_fourth_is_not() {
    let hop = || ScriptedReply::redirect(307, "/v1/payments/charge");
    let fixture = PeersFixture::new([hop(), hop(), hop(), paid()]).await;
    let answer = fixture.peers.payment.charge(TAG, &charge()).await;
    assert_eq!(answer.label(), "yes");

    let fixture = PeersFixture::new([hop(), hop(), hop(), hop(), paid()]).await;
    let answer = fixture.peers.payment.charge(TAG, &charge()).await;
    assert_eq!(answer.label(), "unclear");
    assert_eq!(fixture.server.requests().len(), 4);
}

#[tokio::test]
async fn credentials_in_a_base_url_do_not_leak() {
    let server =
        Scripted::start([ScriptedReply::redirect(307, "/v1/payments/charge/"), paid()]).await;
    let mut url = server.url();
    url.set_username("shop").unwrap();
    url.set_password(Some("secret")).unwrap();
    let peers = peers_at(&url, Duration::from_secs(20), Arc::default());
    let answer = peers.payment.charge(TAG, &charge()).await;
    assert_eq!(answer.label(), "yes");
    for request in server.requests() {
        assert_eq!(request.headers["authorization"], "Basic c2hvcDpzZWNyZXQ=");
    }
    let answer = peers.payment.charge(TAG, &charge()).await;
    assert!(!reason(&answer).contains("secret"));
}

#[tokio::test]
async fn a_redirect_without_a_valid_location_is_unclear() {
    for reply in [
        ScriptedReply::text(307, ""),
        ScriptedReply::redirect(307, "http://"),
        ScriptedReply::redirect(308, "mailto:a@b"),
        ScriptedReply::text(304, ""),
    ] {
        let fixture = PeersFixture::new([reply]).await;
        let answer = fixture.peers.payment.charge(TAG, &charge()).await;
        assert_eq!(answer.label(), "unclear");
        reason(&answer);
    }
}
