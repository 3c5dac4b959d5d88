//! The reason and the Retry-After of an error response.

use order_service::peers::CallFailure;
use serde_json::json;

use super::*;

#[tokio::test]
async fn every_error_format_yields_a_clean_reason() {
    let table = [
        (
            ScriptedReply::json(409, json!({"detail": "no stock"})),
            "no stock",
        ),
        (
            ScriptedReply::json(
                422,
                json!({"detail": [{"loc": ["body", "items"], "msg": "empty"}]}),
            ),
            "body.items: empty",
        ),
        (
            ScriptedReply::json(409, json!({"error": "no stock"})),
            "no stock",
        ),
        (
            ScriptedReply::json(400, json!({"sku": ["unknown"]})),
            "sku: unknown",
        ),
        (
            ScriptedReply::json(
                409,
                json!({"code": "GONE", "message": "no stock", "correlationId": "c"}),
            ),
            "GONE: no stock",
        ),
        (ScriptedReply::text(409, "no\u{7} stock\r\n"), "no stock"),
        (
            ScriptedReply::text(409, b"no \xFF\xC3 stock".to_vec()),
            "no \u{fffd}\u{fffd} stock",
        ),
    ];
    let fixture = PeersFixture::new(table.iter().map(|(reply, _)| reply.clone())).await;
    for (_, expected) in table {
        let answer = fixture
            .peers
            .inventory
            .reserve(TAG, "r-1", ORDER, &items())
            .await;
        assert_eq!(answer.label(), "no");
        assert_eq!(reason(&answer), expected);
    }
}

#[tokio::test]
async fn an_html_page_is_never_a_business_refusal() {
    let page = "<!doctype html><title>409 Conflict</title><p>Reservation is already released</p>";
    for status in [400, 404, 409, 422] {
        let replies = vec![ScriptedReply::text(status, page); 4];
        let fixture = PeersFixture::new(replies).await;
        let peers = &fixture.peers;
        let reserved = peers.inventory.reserve(TAG, "r-1", ORDER, &items()).await;
        let committed = peers.inventory.commit(TAG, "r-1", ORDER, true).await;
        let created = peers.shipping.create(TAG, &parcel()).await;
        let charged = peers.payment.charge(TAG, &charge()).await;
        let mut outcomes = vec![
            ("reserve", reserved.label(), reason(&reserved)),
            ("create", created.label(), reason(&created)),
        ];
        // To a repeated commit, 404 means that the reservation is gone because it was committed.
        if status != 404 {
            outcomes.push(("commit", committed.label(), reason(&committed)));
        }
        if status != 404 && status != 409 {
            outcomes.push(("charge", charged.label(), reason(&charged)));
        }
        for (operation, label, reason) in outcomes {
            assert_eq!(label, "unclear", "{operation} {status}");
            assert_eq!(
                reason,
                format!("answered {status}: an HTML page"),
                "{operation}"
            );
        }
    }
}

#[tokio::test]
async fn a_long_reason_is_truncated() {
    let fixture = PeersFixture::new([ScriptedReply::text(402, "ü".repeat(10_000))]).await;
    let answer = fixture.peers.payment.charge(TAG, &charge()).await;
    assert_eq!(reason(&answer).chars().count(), 200);
}

async fn waits(reply: ScriptedReply) -> Option<Duration> {
    let fixture = PeersFixture::new([reply]).await;
    let answer = fixture.peers.payment.charge(TAG, &charge()).await;
    let CallOutcome::Retryable(CallFailure { retry_after, .. }) = answer else {
        panic!("{answer:?}");
    };
    retry_after
}

#[tokio::test]
async fn a_busy_peers_retry_after_is_kept() {
    for status in [429, 503] {
        let busy = || ScriptedReply::json(status, json!({"detail": "busy"}));
        let after = |value: &str| waits(busy().header("retry-after", value));
        assert_eq!(after("7").await, Some(Duration::from_secs(7)));
        assert_eq!(after("86400").await, Some(Duration::from_secs(3600)));
        let far = after("Fri, 01 Jan 2100 00:00:00 GMT").await;
        assert_eq!(far, Some(Duration::from_secs(3600)));
        let past = after("Sun, 06 Nov 1994 08:49:37 GMT").await;
        assert_eq!(past, Some(Duration::ZERO));
        assert_eq!(after("soon").await, None);
        assert_eq!(waits(busy()).await, None);
        // The header arrives before the body, so a truncated body does not lose it.
        let broken = busy().header("retry-after", "7").half();
        assert_eq!(waits(broken).await, Some(Duration::from_secs(7)));
    }
    let other = ScriptedReply::text(500, "").header("retry-after", "7");
    assert_eq!(waits(other).await, None);
}

#[tokio::test]
async fn refused_credentials_are_reported_as_such() {
    for status in [401, 403] {
        let fixture =
            PeersFixture::new([ScriptedReply::json(status, json!({"detail": "bad token"}))]).await;
        let answer = fixture.peers.payment.charge(TAG, &charge()).await;
        let expected = format!("answered {status} and refused our credentials: bad token");
        assert_eq!(reason(&answer), expected);
    }
}
