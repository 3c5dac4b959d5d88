//! The headers of every request, and its metrics and span.

use std::io::{self, Write};

use order_service::peers::{CallContext, PeerSettings};
use serde_json::json;
use tracing::instrument::WithSubscriber;
use tracing_subscriber::fmt::format::FmtSpan;

use super::*;

#[tokio::test]
async fn every_request_carries_key_trace_and_request_id() {
    let fixture =
        PeersFixture::new([ScriptedReply::text(500, ""), ScriptedReply::text(500, "")]).await;
    fixture.peers.payment.charge(TAG, &charge()).await;
    fixture.peers.shipping.find(TAG, ORDER).await;

    for request in fixture.server.requests() {
        assert_eq!(request.headers["idempotency-key"], TAG.idempotency_key);
        assert_eq!(request.headers["x-request-id"], "req-1");
        assert_eq!(request.headers["accept"], "application/json");
        let parts: Vec<_> = request.headers["traceparent"].split('-').collect();
        assert_eq!(parts[0], "00");
        assert_eq!(parts[1], "0af7651916cd43dd8448eb211c80319c");
        assert_eq!(parts[2].len(), 16);
        assert!(parts[2].chars().all(|digit| digit.is_ascii_hexdigit()));
        assert_eq!(parts[3], "01");
    }
}

#[tokio::test]
async fn every_call_matches_its_contract() {
    let fixture = PeersFixture::new([]).await;
    let Peers {
        inventory,
        payment,
        shipping,
        ..
    } = &fixture.peers;
    inventory.reserve(TAG, "r-1", ORDER, &items()).await;
    inventory.release(TAG, "r-1", ORDER).await;
    inventory.commit(TAG, "r-1", ORDER, false).await;
    payment.charge(TAG, &charge()).await;
    payment
        .refund(TAG, "9", money("100.10"), "cancelled", ORDER)
        .await;
    payment.find(TAG, ORDER).await;
    shipping.create(TAG, &parcel()).await;
    shipping.cancel(TAG, "s-1").await;
    shipping.find(TAG, ORDER).await;

    let expected = [
        (
            "POST /v1/inventory/reserve",
            r#"{"reservation_id":"r-1","order_id":42,"items":[{"product_id":7,"sku":"SKU0007","quantity":3},{"sku":"SKU0008","quantity":1}],"idempotency_key":"f00d-charge_payment"}"#,
        ),
        (
            "POST /v1/inventory/release",
            r#"{"reservation_id":"r-1","order_id":42}"#,
        ),
        (
            "POST /v1/inventory/ship",
            r#"{"order_id":42,"reservation_id":"r-1"}"#,
        ),
        (
            "POST /v1/payments/charge",
            r#"{"order_id":42,"customer_id":5,"amount":100.10,"currency":"USD","method":"UPI","idempotency_key":"f00d-charge_payment"}"#,
        ),
        (
            "POST /v1/payments/9/refund",
            r#"{"amount":100.10,"reason":"cancelled","idempotency_key":"f00d-charge_payment"}"#,
        ),
        ("GET /v1/payments?order_id=42", ""),
        (
            "POST /v1/shipments",
            r#"{"order_id":42,"carrier":"DHL","address":"1 Main Street","idempotency_key":"f00d-charge_payment"}"#,
        ),
        (
            "PATCH /v1/shipments/s-1/status",
            r#"{"status":"CANCELLED"}"#,
        ),
        ("GET /v1/shipments?order_id=42", ""),
    ];
    let requests = fixture.server.requests();
    assert_eq!(requests.len(), expected.len());
    for (request, (line, body)) in requests.iter().zip(expected) {
        assert_eq!(format!("{} {}", request.method, request.target), line);
        assert_eq!(String::from_utf8_lossy(&request.body), body);
        let json = (!body.is_empty()).then_some("application/json");
        let sent = request.headers.get("content-type").map(String::as_str);
        assert_eq!(sent, json, "{line}");
    }
}

#[tokio::test]
async fn a_path_in_the_base_url_prefixes_every_call() {
    let server = Scripted::start([]).await;
    for base in ["/shop/pay", "/shop/pay/"] {
        let url = server.url().join(base).unwrap();
        let peers = peers_at(&url, Duration::from_secs(20), Arc::default());
        peers.payment.find(TAG, ORDER).await;
    }
    for request in server.requests() {
        assert_eq!(request.target, "/shop/pay/v1/payments?order_id=42");
    }
}

#[tokio::test]
async fn ids_are_escaped_in_paths_and_never_change_them() {
    let fixture = PeersFixture::new([]).await;
    fixture.peers.shipping.cancel(TAG, "a/../b?c#d%e f").await;
    assert_eq!(
        fixture.server.requests()[0].target,
        "/v1/shipments/a%2F..%2Fb%3Fc%23d%25e%20f/status"
    );
    for id in ["..", ".", "", "a\nb"] {
        let answer = fixture.peers.shipping.cancel(TAG, id).await;
        assert_eq!(answer.label(), "unclear", "{id:?}");
    }
    assert_eq!(fixture.server.requests().len(), 1);
}

#[tokio::test]
async fn every_call_is_counted_once_by_outcome() {
    let fixture = PeersFixture::new([
        ScriptedReply::json(201, json!({"status": "SUCCESS", "payment_id": 1})),
        ScriptedReply::text(402, ""),
        ScriptedReply::json(201, json!({"status": "SUCCESS", "order_id": 1})),
        ScriptedReply::close(),
    ])
    .await;
    for _ in 0..4 {
        fixture.peers.payment.charge(TAG, &charge()).await;
    }
    let expected = ["yes", "no", "wrong", "unclear"].map(|how| ("payment", "charge", how));
    assert_eq!(fixture.ended(), expected);
}

#[tokio::test]
async fn a_request_id_unfit_for_a_header_is_left_out() {
    let fixture = PeersFixture::new([ScriptedReply::json(
        201,
        json!({"status": "PAID", "payment_id": 1}),
    )])
    .await;
    let tag = CallContext {
        request_id: "a\r\nb",
        ..TAG
    };
    let answer = fixture.peers.payment.charge(tag, &charge()).await;
    assert_eq!(answer.label(), "yes");
    assert!(
        !fixture.server.requests()[0]
            .headers
            .contains_key("x-request-id")
    );
}

#[tokio::test]
async fn every_call_has_a_span_with_status_and_outcome_only() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_span_events(FmtSpan::CLOSE)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    let body = json!({"status": "FAILED", "message": "card 4111 declined"});
    let fixture = PeersFixture::new([ScriptedReply::json(201, body)]).await;
    let payment = &fixture.peers.payment;
    let charge = charge();
    payment
        .charge(TAG, &charge)
        .with_subscriber(subscriber)
        .await;

    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    let span = r#"peer.payment.charge{status=201 outcome="no"}"#;
    assert!(log.contains(span), "{log}");
    assert!(!log.contains("4111") && !log.contains("UPI"), "{log}");
}

/// A log buffer.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn an_unusable_base_url_is_refused() {
    let good = Url::parse("http://peer:8000/").unwrap();
    for bad in [
        "mailto:a@b",
        "ftp://peer/",
        "http://peer/?a=b",
        "http://peer/#a",
    ] {
        let settings = PeerSettings {
            inventory: good.clone(),
            payment: Url::parse(bad).unwrap(),
            shipping: good.clone(),
            timeout: Duration::from_secs(1),
            connect_timeout: Duration::from_secs(1),
            limits: super::LIMITS,
        };
        let error = Peers::new(settings, Arc::<ObservedCalls>::default())
            .err()
            .unwrap();
        assert!(error.to_string().contains("payment"), "{error}");
    }
}
