//! The sandbox Shipping service.

use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::routing::patch;
use axum::{Json, Router};
use sandbox::ParcelStatus;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::{SandboxShop, a_charge, a_shipment, settings};

#[tokio::test]
async fn a_shipment_is_made_once_per_key() {
    let shop = SandboxShop::open().await;
    let (status, first) = shop.ship("k").await;
    assert_eq!(
        (status, &first["status"], &first["carrier"]),
        (201, &json!("PENDING"), &json!("DHL"))
    );
    assert_eq!(first["tracking_no"], "TRK100001");
    assert_eq!(shop.ship("k").await, (200, first));
    let mut other = a_shipment("k");
    other["carrier"] = json!("Bluedart");
    assert_eq!(shop.post("/v1/shipments", other).await.0, 409);
    assert_eq!(shop.sandbox.ledger().shipments.len(), 1);
}

#[tokio::test]
async fn a_shipment_without_a_key_or_a_carrier_is_refused() {
    let shop = SandboxShop::open().await;
    assert_eq!(
        shop.post("/v1/shipments", json!({ "order_id": 1, "carrier": "DHL" }))
            .await
            .0,
        400
    );
    let body = json!({ "order_id": 1, "carrier": " ", "idempotency_key": "k" });
    assert_eq!(shop.post("/v1/shipments", body).await.0, 422);
}

#[tokio::test]
async fn nothing_is_shipped_to_the_special_customer() {
    let shop = SandboxShop::open().await;
    let mut charge = a_charge("c", "1.00");
    charge["customer_id"] = json!(409_409);
    shop.post("/v1/payments/charge", charge).await;
    assert_eq!(shop.ship("k").await.0, 409);
    assert!(shop.sandbox.ledger().shipments.is_empty());
}

#[tokio::test]
async fn a_parcel_advances_until_it_is_delivered() {
    let shop = SandboxShop::open().await;
    shop.ship("k").await;
    for status in [
        "PACKED",
        "SHIPPED",
        "IN_TRANSIT",
        "OUT_FOR_DELIVERY",
        "DELIVERED",
    ] {
        assert_eq!(shop.sandbox.advance_parcels(), 1);
        assert_eq!(shop.get("/v1/shipments/1").await.1["status"], status);
    }
    assert_eq!(shop.sandbox.advance_parcels(), 0);
}

#[tokio::test]
async fn a_parcel_is_recalled_only_before_it_is_in_transit() {
    let shop = SandboxShop::open().await;
    let early = shop.ship("early").await.1["shipment_id"].take();
    let late = shop.ship("late").await.1["shipment_id"].take();
    shop.sandbox.advance_parcels();
    for _ in 0..2 {
        let (status, body) = shop.cancel(&early).await;
        assert_eq!((status, &body["status"]), (200, &json!("CANCELLED")));
    }
    assert_eq!(shop.sandbox.advance_parcels(), 1, "the cancelled one stays");
    let (status, body) = shop.cancel(&late).await;
    assert_eq!(
        (status, &body["detail"]),
        (409, &json!("the parcel is already under way"))
    );
    assert_eq!(shop.cancel(&json!(77)).await.0, 404);
    let body = json!({ "status": "DELIVERED" });
    let path = "/v1/shipments/2/status";
    assert_eq!(
        shop.call(reqwest::Method::PATCH, path, Some(&body)).await.0,
        422
    );
}

#[tokio::test]
async fn the_parcels_of_an_order_are_listed_newest_first() {
    let shop = SandboxShop::open().await;
    shop.ship("k-1").await;
    shop.ship("k-2").await;
    let (_, body) = shop.get("/v1/shipments?order_id=1").await;
    assert_eq!(body["items"][0]["idempotency_key"], "k-2");
    assert_eq!(body["items"][1]["idempotency_key"], "k-1");
    assert_eq!(shop.get("/v1/shipments/3").await.0, 404);
    assert_eq!(shop.get("/v1/shipments/x").await.0, 404);
}

type Told = mpsc::UnboundedSender<(i64, String, Value)>;

async fn told(
    State(told): State<Told>,
    Path(id): Path<i64>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) {
    let token = headers["authorization"].to_str().unwrap().to_owned();
    told.send((id, token, body)).unwrap();
}

#[tokio::test]
async fn moving_parcels_update_their_order() {
    let (sender, mut news) = mpsc::unbounded_channel();
    let orders = Router::new()
        .route("/prefix/v1/orders/{id}/update/", patch(told))
        .with_state(sender);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/prefix", listener.local_addr().unwrap());
    let orders = tokio::spawn(async move { axum::serve(listener, orders).await });
    let mut settings = settings();
    settings.parcel_pace = Some(Duration::from_millis(10));
    settings.order_service_url = Some(url.parse().unwrap());
    let shop = SandboxShop::open_with(settings).await;
    shop.ship("k").await;
    for status in ["SHIPPED", "DELIVERED"] {
        let (order, token, body) = timeout(Duration::from_secs(10), news.recv())
            .await
            .unwrap()
            .unwrap();
        assert_eq!((order, body), (1, json!({ "shipping_status": status })));
        let claims = super::users::claims(token.strip_prefix("Bearer ").unwrap());
        assert_eq!(claims["role"], "service");
    }
    assert_eq!(
        shop.sandbox.ledger().shipments[0].status,
        ParcelStatus::Delivered
    );
    shop.sandbox.stop().await;
    orders.abort();
}
