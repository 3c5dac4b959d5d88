//! Network failures and broken responses: the outcome is unclear, and nothing is sent twice.

use serde_json::json;
use tokio::net::TcpListener;

use super::*;

const SHORT: Duration = Duration::from_millis(200);

fn paid() -> ScriptedReply {
    ScriptedReply::json(201, json!({"status": "SUCCESS", "payment_id": 1}))
}

async fn unclear(reply: ScriptedReply, timeout: Duration, telling: &str) {
    let fixture = PeersFixture::patient([reply, paid()], timeout).await;
    let answer = fixture.peers.payment.charge(TAG, &charge()).await;
    assert_eq!(answer.label(), "unclear");
    let said = reason(&answer);
    assert!(said.contains(telling), "{said}");
    assert_eq!(fixture.server.requests().len(), 1, "it was sent again");
}

const LONG: Duration = Duration::from_secs(20);

#[tokio::test]
async fn a_silent_peer_is_unclear_after_the_deadline() {
    unclear(ScriptedReply::silence(), SHORT, "200 ms").await;
}

#[tokio::test]
async fn the_deadline_covers_the_body() {
    unclear(paid().half_then_silence(), SHORT, "200 ms").await;
}

#[tokio::test]
async fn a_closed_connection_is_unclear() {
    unclear(ScriptedReply::close(), LONG, "broke before an answer").await;
}

#[tokio::test]
async fn a_reset_connection_is_unclear() {
    unclear(ScriptedReply::reset(), LONG, "broke before an answer").await;
}

#[tokio::test]
async fn a_truncated_success_is_unclear() {
    unclear(paid().half(), LONG, "broke off").await;
}

#[tokio::test]
async fn a_truncated_rejection_is_unclear() {
    let declined = ScriptedReply::json(402, json!({"detail": "declined"}));
    unclear(declined.half(), LONG, "broke off").await;
}

#[tokio::test]
async fn a_body_above_the_size_limit_is_unclear() {
    let mut body = r#"{"status": "SUCCESS", "payment_id": 1, "rest": ""#.to_owned();
    body += &"x".repeat(256 * 1024);
    body += r#""}"#;
    unclear(ScriptedReply::text(201, body), LONG, "more than 256 KiB").await;
}

#[tokio::test]
async fn a_body_just_below_the_size_limit_is_read() {
    let start = r#"{"status": "SUCCESS", "payment_id": 1, "rest": ""#;
    let body = format!("{start}{}\"}}", "x".repeat(256 * 1024 - start.len() - 2));
    let fixture = PeersFixture::new([ScriptedReply::text(201, body)]).await;
    let answer = fixture.peers.payment.charge(TAG, &charge()).await;
    assert_eq!(answer.label(), "yes");
}

#[tokio::test]
async fn deeply_nested_json_is_unclear() {
    unclear(
        ScriptedReply::text(200, "[".repeat(100_000)),
        LONG,
        "answered 200",
    )
    .await;
}

#[tokio::test]
async fn a_refused_connection_counts_as_not_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let url = Url::parse(&format!("http://{address}")).unwrap();
    let peers = peers_at(&url, LONG, Arc::default());
    let answer = peers.payment.charge(TAG, &charge()).await;
    assert_eq!(answer.label(), "not_sent");
    assert!(reason(&answer).starts_with("could not connect"));
}

#[tokio::test]
async fn a_call_can_run_in_its_own_task() {
    let fixture = PeersFixture::new([paid()]).await;
    let payment = fixture.peers.payment.clone();
    let task = tokio::spawn(async move { payment.charge(TAG, &charge()).await });
    assert_eq!(task.await.unwrap().label(), "yes");
}
