//! The sandbox Inventory service.

use std::time::Duration;

use sandbox::{ReservationState, StockRow};
use serde_json::{Value, json};

use super::SandboxShop;

impl SandboxShop {
    fn stock_of(&self, sku: &str) -> Vec<StockRow> {
        let mut stock = self.sandbox.ledger().stock;
        stock.retain(|row| row.sku == sku);
        stock
    }

    /// The on-hand and reserved quantities in all warehouses.
    fn count_of(&self, sku: &str) -> (u64, u64) {
        let rows = self.stock_of(sku);
        (
            rows.iter().map(|row| row.on_hand).sum(),
            rows.iter().map(|row| row.reserved).sum(),
        )
    }

    fn state_of(&self, id: &str) -> Option<ReservationState> {
        let mut rows = self.sandbox.ledger().reservations.into_iter();
        rows.find(|row| row.reservation_id == id)
            .map(|row| row.state)
    }
}

fn one(sku: &str, quantity: u32) -> Value {
    json!([{ "sku": sku, "quantity": quantity }])
}

#[tokio::test]
async fn a_reservation_holds_every_line_and_lists_allocations() {
    let shop = SandboxShop::open().await;
    let items = json!([
        { "product_id": 3, "sku": "SKU0003", "quantity": 150 },
        { "sku": "ANYTHING", "quantity": 1000 },
    ]);
    let (status, body) = shop.reserve("r", items).await;
    assert_eq!((status, &body["success"]), (201, &json!(true)));
    assert_eq!(body["reservation_id"], "r");
    assert_eq!(
        body["allocations"],
        json!([
            { "product_id": 3, "sku": "SKU0003", "warehouse": "WH1", "quantity": 100 },
            { "product_id": 3, "sku": "SKU0003", "warehouse": "WH2", "quantity": 50 },
            { "product_id": null, "sku": "ANYTHING", "warehouse": "WH1", "quantity": 1000 },
        ])
    );
    assert!(body["expires_at"].is_string());
    assert_eq!(shop.count_of("SKU0003"), (200, 150));
}

#[tokio::test]
async fn a_reservation_short_in_one_line_holds_nothing() {
    let shop = SandboxShop::open().await;
    let items = json!([{ "sku": "SKU0001", "quantity": 5 }, { "sku": "SKU0002", "quantity": 201 }]);
    let (status, body) = shop.reserve("r", items).await;
    assert_eq!(status, 409);
    assert_eq!(
        body["detail"],
        "insufficient stock for SKU0002: 201 wanted, 200 free"
    );
    assert_eq!(shop.count_of("SKU0001"), (200, 0));
    assert_eq!(shop.count_of("SKU0002"), (200, 0));
}

#[tokio::test]
async fn the_same_sku_in_two_lines_is_summed() {
    let shop = SandboxShop::open().await;
    let items =
        json!([{ "sku": "SKU0001", "quantity": 150 }, { "sku": "SKU0001", "quantity": 51 }]);
    assert_eq!(shop.reserve("r", items).await.0, 409);
    assert_eq!(shop.count_of("SKU0001"), (200, 0));
}

#[tokio::test]
async fn a_line_needs_a_sku_and_a_quantity() {
    let shop = SandboxShop::open().await;
    for (sku, quantity) in [
        ("A", json!(0)),
        ("A", json!(-1)),
        ("A", json!(1.5)),
        ("", json!(1)),
    ] {
        let items = json!([{ "sku": sku, "quantity": quantity }]);
        assert_eq!(shop.reserve("r", items.clone()).await.0, 422, "{items}");
    }
    assert_eq!(shop.reserve("r", json!([])).await.0, 422);
    assert!(shop.sandbox.ledger().reservations.is_empty());
}

#[tokio::test]
async fn a_repeated_reservation_is_idempotent() {
    let shop = SandboxShop::open().await;
    shop.reserve("r", one("SKU0001", 2)).await;
    let (status, body) = shop.reserve("r", one("SKU0001", 2)).await;
    let said = json!({ "success": true, "message": "Already reserved (idempotent)", "reservation_id": "r" });
    assert_eq!((status, body), (200, said));
    assert_eq!(shop.count_of("SKU0001"), (200, 2));
    assert_eq!(
        shop.reserve("r", one("SKU0001", 3)).await.0,
        409,
        "another request, the same id"
    );
}

#[tokio::test]
async fn a_release_frees_the_stock_and_is_idempotent() {
    let shop = SandboxShop::open().await;
    shop.reserve("r", one("SKU0001", 2)).await;
    for _ in 0..2 {
        assert_eq!(shop.release("r").await.0, 200);
        assert_eq!(shop.count_of("SKU0001"), (200, 0));
    }
    assert_eq!(shop.state_of("r"), Some(ReservationState::Released));
}

#[tokio::test]
async fn a_reserve_after_its_release_is_refused() {
    let shop = SandboxShop::open().await;
    assert_eq!(shop.release("r").await.0, 200);
    assert_eq!(shop.reserve("r", one("SKU0001", 2)).await.0, 409);
    assert_eq!(shop.count_of("SKU0001"), (200, 0));
}

#[tokio::test]
async fn a_commit_deducts_the_stock_once() {
    let shop = SandboxShop::open().await;
    shop.reserve("r", one("SKU0001", 2)).await;
    let (status, body) = shop.commit("r").await;
    assert_eq!(
        (status, body),
        (200, json!({ "success": true, "shipped_items": 2 }))
    );
    assert_eq!(shop.commit("r").await.0, 404);
    assert_eq!(shop.count_of("SKU0001"), (198, 0));
    assert_eq!(
        shop.reserve("r", one("SKU0001", 2)).await.0,
        200,
        "a late repeat is still a yes"
    );
}

#[tokio::test]
async fn released_committed_goods_return_to_stock() {
    let shop = SandboxShop::open().await;
    shop.reserve("r", one("SKU0001", 120)).await;
    shop.commit("r").await;
    assert_eq!(shop.release("r").await.0, 200);
    assert_eq!(shop.count_of("SKU0001"), (200, 0));
}

#[tokio::test]
async fn goods_that_are_not_reserved_cannot_be_committed() {
    let shop = SandboxShop::open().await;
    assert_eq!(shop.commit("unknown").await.0, 400);
    shop.reserve("released", one("SKU0001", 2)).await;
    shop.release("released").await;
    assert_eq!(shop.commit("released").await.0, 400);
    shop.reserve("r", one("SKU0001", 2)).await;
    let other = json!({ "reservation_id": "r", "order_id": 2 });
    assert_eq!(shop.post("/v1/inventory/ship", other.clone()).await.0, 400);
    assert_eq!(shop.post("/v1/inventory/release", other).await.0, 400);
}

#[tokio::test]
async fn a_reservation_expires_after_fifteen_minutes() {
    let shop = SandboxShop::open().await;
    shop.reserve("kept", one("SKU0001", 1)).await;
    shop.commit("kept").await;
    shop.reserve("late", one("SKU0001", 2)).await;
    shop.sandbox.advance_clock(Duration::from_secs(10 * 60));
    shop.reserve("young", one("SKU0001", 4)).await;
    shop.sandbox.advance_clock(Duration::from_secs(5 * 60));
    assert_eq!(shop.count_of("SKU0001"), (199, 4));
    assert_eq!(shop.state_of("kept"), Some(ReservationState::Committed));
    assert_eq!(shop.state_of("late"), Some(ReservationState::Expired));
    assert_eq!(shop.state_of("young"), Some(ReservationState::Held));
    assert_eq!(shop.commit("late").await.0, 400);
    assert_eq!(shop.reserve("late", one("SKU0001", 2)).await.0, 409);
    assert_eq!(shop.release("late").await.0, 200);
    assert_eq!(shop.count_of("SKU0001"), (199, 4));
}

#[tokio::test]
async fn special_skus_are_out_of_stock_or_partly_available() {
    let shop = SandboxShop::open().await;
    assert_eq!(shop.reserve("r-1", one("OUT-OF-STOCK", 1)).await.0, 409);
    let items =
        json!([{ "sku": "SKU0001", "quantity": 2 }, { "sku": "PARTIAL-STOCK", "quantity": 1 }]);
    for _ in 0..2 {
        let (status, body) = shop.reserve("r-2", items.clone()).await;
        assert_eq!((status, &body["status"]), (200, &json!("PARTIAL")));
        assert_eq!(body["allocations"].as_array().map(Vec::len), Some(1));
    }
    assert_eq!(shop.count_of("SKU0001"), (200, 2));
    shop.release("r-2").await;
    assert_eq!(shop.count_of("SKU0001"), (200, 0));
}
