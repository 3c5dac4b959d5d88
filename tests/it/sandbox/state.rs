//! The sandbox state file.

use std::path::PathBuf;
use std::time::Duration;

use sandbox::{Sandbox, Settings};
use serde_json::{Value, json};

use super::{SandboxShop, settings};

fn kept_in(name: &str) -> (Settings, PathBuf) {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
        .join("sandbox")
        .join(name);
    let _ = std::fs::remove_dir_all(&folder);
    let file = folder.join("state.json");
    let mut settings = settings();
    settings.state_file = Some(file.clone());
    (settings, file)
}

#[tokio::test]
async fn a_restarted_sandbox_keeps_its_state() {
    let (settings, _) = kept_in("remembers");
    let shop = SandboxShop::open_with(settings.clone()).await;
    shop.reserve("r", json!([{ "sku": "NEW", "quantity": 2 }]))
        .await;
    shop.release("fenced").await;
    let id = shop.charge("c", "9.90").await.1["payment_id"].take();
    shop.refund(&id, "f", "4.00").await;
    shop.ship("s").await;
    shop.sandbox.advance_parcels();
    let before = serde_json::to_value(shop.sandbox.ledger()).unwrap();
    shop.sandbox.stop().await;

    let shop = SandboxShop::open_with(settings).await;
    assert_eq!(serde_json::to_value(shop.sandbox.ledger()).unwrap(), before);
    assert_eq!(
        shop.reserve("r", json!([{ "sku": "NEW", "quantity": 2 }]))
            .await
            .0,
        200
    );
    assert_eq!(
        shop.reserve("fenced", json!([{ "sku": "NEW", "quantity": 2 }]))
            .await
            .0,
        409
    );
    assert_eq!(shop.charge("c", "9.90").await.0, 200);
    assert_eq!(shop.refund(&id, "f", "4.00").await.0, 200);
    assert_eq!(shop.ship("s").await.0, 200);
    assert_ne!(shop.charge("c-2", "9.90").await.1["payment_id"], id);
    shop.sandbox.advance_clock(Duration::from_secs(16 * 60));
    assert_eq!(
        shop.commit("r").await.0,
        400,
        "what was held before expires after"
    );
}

#[tokio::test]
async fn changes_are_saved_soon_without_a_shutdown() {
    let (settings, file) = kept_in("soon");
    let shop = SandboxShop::open_with(settings).await;
    shop.charge("c", "9.90").await;
    let saved = async {
        loop {
            let bytes = tokio::fs::read(&file).await.unwrap_or_default();
            let state: Value = serde_json::from_slice(&bytes).unwrap_or_default();
            if state["payments"]["charges"][0]["idempotency_key"] == "c" {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), saved)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_broken_state_file_is_named() {
    let (settings, file) = kept_in("broken");
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(&file, "{\"inventory\":").unwrap();
    let error = Sandbox::start(settings).await.unwrap_err().to_string();
    assert!(
        error.contains("state.json") && error.contains("remove it"),
        "{error}"
    );
}
