//! Stock commits: a repeat that finds no reservation counts as done.

use serde_json::json;

use super::*;

async fn outcomes(repeat: bool, table: Vec<(ScriptedReply, &'static str)>) {
    let fixture = PeersFixture::new(table.iter().map(|(reply, _)| reply.clone())).await;
    for (reply, expected) in table {
        let inventory = &fixture.peers.inventory;
        let answer = inventory.commit(TAG, "r-1", ORDER, repeat).await;
        reason(&answer);
        assert_eq!(answer.label(), expected, "{reply:?} gave {answer:?}");
    }
}

#[tokio::test]
async fn a_first_commit_needs_an_explicit_success() {
    outcomes(
        false,
        vec![
            (
                ScriptedReply::json(200, json!({"success": true, "shipped_items": 2})),
                "yes",
            ),
            (ScriptedReply::json(200, json!({"shipped_items": 2})), "yes"),
            (
                ScriptedReply::json(200, json!({"status": "shipped"})),
                "yes",
            ),
            (
                ScriptedReply::json(200, json!({"success": false, "message": "expired"})),
                "no",
            ),
            (
                ScriptedReply::json(400, json!({"detail": "reservation has expired"})),
                "no",
            ),
            (
                ScriptedReply::json(400, json!({"detail": "already shipped"})),
                "no",
            ),
            (ScriptedReply::text(404, ""), "no"),
            (
                ScriptedReply::json(200, json!({"success": true, "order_id": 41})),
                "wrong",
            ),
            (ScriptedReply::json(200, json!({})), "unclear"),
            (
                ScriptedReply::json(200, json!({"success": true, "status": "PARTIAL"})),
                "unclear",
            ),
            (ScriptedReply::text(409, "busy"), "unclear"),
            (ScriptedReply::text(500, ""), "unclear"),
        ],
    )
    .await;
}

#[tokio::test]
async fn a_repeated_commit_that_finds_nothing_counts_as_done() {
    outcomes(
        true,
        vec![
            (
                ScriptedReply::json(404, json!({"detail": "no such reservation"})),
                "yes",
            ),
            (
                ScriptedReply::json(400, json!({"detail": "Reservation already shipped"})),
                "yes",
            ),
            (
                ScriptedReply::json(
                    200,
                    json!({"success": false, "message": "already committed"}),
                ),
                "yes",
            ),
            (
                ScriptedReply::json(400, json!({"detail": "reservation has expired"})),
                "no",
            ),
            (ScriptedReply::text(503, ""), "unclear"),
        ],
    )
    .await;
}
