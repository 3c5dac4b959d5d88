//! Paginated lists of all records of a peer.

use order_service::peers::{ListingCursor, PaymentRecord};
use serde_json::{Value, json};

use super::*;

fn charges(ids: std::ops::Range<u32>) -> Value {
    ids.map(|id| json!({"payment_id": id, "order_id": format!("{id}"), "status": "SUCCESS"}))
        .collect()
}

/// Reads a list to its end, or to the first failed response.
async fn read(fixture: &PeersFixture) -> Result<Vec<PaymentRecord>, &'static str> {
    let (mut records, mut next) = (Vec::new(), Some(ListingCursor::start()));
    while let Some(at) = next {
        let answer = fixture.peers.payment.list(TAG, &at).await;
        reason(&answer);
        let outcome = answer.label();
        let CallOutcome::Success(page) = answer else {
            return Err(outcome);
        };
        for listed in &page.records {
            let named = listed.order_id.map(|order_id| order_id.to_string());
            assert_eq!(named.as_ref(), Some(&listed.record.payment_id));
        }
        records.extend(page.records.into_iter().map(|listed| listed.record));
        next = page.next;
    }
    Ok(records)
}

fn targets(fixture: &PeersFixture) -> Vec<String> {
    let requests = fixture.server.requests();
    requests.into_iter().map(|request| request.target).collect()
}

#[tokio::test]
async fn lists_are_paginated_by_link_or_by_page_number() {
    let page = |body| ScriptedReply::json(200, body);
    for (script, expected) in [
        (vec![page(charges(1..4))], vec!["page=1&page_size=100"]),
        (
            // A link to another host is not followed.
            vec![
                page(json!({"results": charges(1..3), "count": 3,
                    "next": "https://elsewhere.example/v1/payments/?cursor=abc"})),
                page(json!({"results": charges(3..4), "next": null})),
            ],
            vec!["page=1&page_size=100", "cursor=abc"],
        ),
        (
            vec![
                page(json!({"items": charges(1..3), "total": 3})),
                page(json!({"items": charges(3..4), "total": 3})),
            ],
            vec!["page=1&page_size=100", "page=2&page_size=100"],
        ),
    ] {
        let fixture = PeersFixture::new(script).await;
        let records = read(&fixture).await.unwrap();
        assert_eq!(records.len(), 3);
        let expected: Vec<_> = expected
            .into_iter()
            .map(|query| format!("/v1/payments?{query}"))
            .collect();
        assert_eq!(targets(&fixture), expected);
    }
}

#[tokio::test]
async fn a_peer_without_the_list_route_counts_as_refused() {
    for status in [400, 404, 405, 422, 501] {
        let fixture =
            PeersFixture::new([ScriptedReply::json(status, json!({"detail": "no"}))]).await;
        assert_eq!(read(&fixture).await, Err("no"), "{status}");
    }
}

#[tokio::test]
async fn an_incomplete_list_is_unclear() {
    let endless = json!({"items": charges(1..3), "total": 9});
    let nowhere = json!({"items": charges(1..3), "next": "/v1/payments/2"});
    for script in [
        vec![
            ScriptedReply::json(200, endless.clone()),
            ScriptedReply::json(200, endless.clone()),
        ],
        vec![
            ScriptedReply::json(200, endless),
            ScriptedReply::json(404, json!({})),
        ],
        vec![ScriptedReply::json(200, nowhere)],
        vec![ScriptedReply::json(503, json!({}))],
        vec![ScriptedReply::json(200, json!({"success": true}))],
        vec![ScriptedReply::json(200, json!([{"order_id": 1}]))],
    ] {
        let fixture = PeersFixture::new(script).await;
        assert_eq!(read(&fixture).await, Err("unclear"));
    }
}

#[tokio::test]
async fn a_reservation_is_held_until_it_expires() {
    let now = time::macros::datetime!(2025-01-01 12:00 UTC);
    let row = |id: &str, state: &str, expires_at: Value| json!({"reservation_id": id, "order_id": 1, "status": state, "expires_at": expires_at});
    let body = json!([
        row("a", "held", json!("2025-01-01T12:01:00")),
        row("b", "HELD", json!("2025-01-01T11:59:00")),
        row("c", "RELEASED", Value::Null),
        row("d", "RESERVED", Value::Null),
    ]);
    let fixture = PeersFixture::new([ScriptedReply::json(200, body)]).await;
    let answer = fixture
        .peers
        .inventory
        .list(TAG, &ListingCursor::start(), now)
        .await;
    let CallOutcome::Success(page) = answer else {
        panic!("{answer:?}");
    };
    let held: Vec<_> = page
        .records
        .iter()
        .filter(|listed| listed.record.is_held)
        .map(|listed| listed.record.reservation_id.as_str())
        .collect();
    assert_eq!(held, ["a", "d"]);
}
