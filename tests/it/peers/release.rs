//! Releases: nothing to release counts as released.

use serde_json::json;

use super::*;

async fn outcomes(table: Vec<(ScriptedReply, &'static str)>) {
    let fixture = PeersFixture::new(table.iter().map(|(reply, _)| reply.clone())).await;
    for (reply, expected) in table {
        let answer = fixture.peers.inventory.release(TAG, "r-1", ORDER).await;
        reason(&answer);
        assert_eq!(answer.label(), expected, "{reply:?} gave {answer:?}");
    }
}

#[tokio::test]
async fn released_unknown_and_already_released_count_as_done() {
    outcomes(vec![
        (ScriptedReply::json(200, json!({"success": true})), "yes"),
        (
            ScriptedReply::json(201, json!({"status": "RELEASED"})),
            "yes",
        ),
        (ScriptedReply::text(200, ""), "yes"),
        (ScriptedReply::text(204, ""), "yes"),
        (
            ScriptedReply::json(404, json!({"detail": "Reservation not found"})),
            "yes",
        ),
        (ScriptedReply::text(404, ""), "yes"),
        (
            ScriptedReply::json(409, json!({"error": "Reservation already released"})),
            "yes",
        ),
        (
            ScriptedReply::json(400, json!({"detail": "No reservation r-1"})),
            "yes",
        ),
        (
            ScriptedReply::json(
                200,
                json!({"success": false, "message": "Reservation not found"}),
            ),
            "yes",
        ),
    ])
    .await;
}

#[tokio::test]
async fn a_release_is_never_definitely_refused() {
    outcomes(vec![
        (
            ScriptedReply::json(409, json!({"detail": "already shipped"})),
            "unclear",
        ),
        (
            ScriptedReply::json(400, json!({"detail": "bad request"})),
            "unclear",
        ),
        (
            ScriptedReply::json(200, json!({"success": false, "message": "try again"})),
            "unclear",
        ),
        (ScriptedReply::text(200, "<html>"), "unclear"),
        (ScriptedReply::text(500, ""), "unclear"),
        (ScriptedReply::close(), "unclear"),
    ])
    .await;
}

#[tokio::test]
async fn a_release_for_another_order_is_wrong() {
    outcomes(vec![(
        ScriptedReply::json(200, json!({"order_id": 1})),
        "wrong",
    )])
    .await;
}
