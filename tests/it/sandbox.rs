//! The sandbox peers from the client's side.

use std::time::Duration;

use reqwest::{Client, Method, StatusCode};
use sandbox::{Ports, Sandbox, Settings};
use secrecy::SecretString;
use serde_json::{Value, json};

mod faults;
mod inventory;
mod payment;
mod shipping;
mod state;
mod users;

const SECRET: &str = "a secret of the tests, long enough for HS256";

/// A running sandbox and a client for it.
struct SandboxShop {
    sandbox: Sandbox,
    client: Client,
}

/// A status and a JSON body; `Null` if there is none.
type SandboxAnswer = (u16, Value);

fn settings() -> Settings {
    Settings {
        ports: Ports::FREE,
        parcel_pace: None,
        ..Settings::new(SecretString::from(SECRET))
    }
}

impl SandboxShop {
    async fn open() -> Self {
        Self::open_with(settings()).await
    }

    async fn open_with(settings: Settings) -> Self {
        let sandbox = Sandbox::start(settings).await.unwrap();
        let client = Client::builder()
            .no_proxy()
            .timeout(Duration::from_secs(20))
            .build()
            .unwrap();
        Self { sandbox, client }
    }

    /// Calls a path such as `/v1/shipments` of the peer that serves it.
    async fn try_call(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> reqwest::Result<(StatusCode, String)> {
        let urls = self.sandbox.urls();
        let base = match path {
            _ if path.starts_with("/v1/inventory") => &urls.inventory,
            _ if path.starts_with("/v1/payments") => &urls.payment,
            _ if path.starts_with("/token") => &urls.user,
            _ => &urls.shipping,
        };
        let mut request = self.client.request(method, base.join(path).unwrap());
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.send().await?;
        let status = response.status();
        Ok((status, response.text().await?))
    }

    async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> SandboxAnswer {
        let (status, text) = self.try_call(method, path, body).await.unwrap();
        let body = match text.as_str() {
            "" => Value::Null,
            text => serde_json::from_str(text).unwrap_or_else(|_| panic!("no JSON: {text}")),
        };
        (status.as_u16(), body)
    }

    async fn get(&self, path: &str) -> SandboxAnswer {
        self.call(Method::GET, path, None).await
    }

    async fn post(&self, path: &str, body: Value) -> SandboxAnswer {
        self.call(Method::POST, path, Some(&body)).await
    }

    async fn reserve(&self, id: &str, items: Value) -> SandboxAnswer {
        let body =
            json!({ "reservation_id": id, "order_id": 1, "items": items, "idempotency_key": id });
        self.post("/v1/inventory/reserve", body).await
    }

    async fn release(&self, id: &str) -> SandboxAnswer {
        let body = json!({ "reservation_id": id, "order_id": 1 });
        self.post("/v1/inventory/release", body).await
    }

    async fn commit(&self, id: &str) -> SandboxAnswer {
        let body = json!({ "reservation_id": id, "order_id": 1 });
        self.post("/v1/inventory/ship", body).await
    }

    async fn charge(&self, key: &str, amount: &str) -> SandboxAnswer {
        self.post("/v1/payments/charge", a_charge(key, amount))
            .await
    }

    async fn refund(&self, payment: &Value, key: &str, amount: &str) -> SandboxAnswer {
        let body = json!({ "amount": amount, "reason": "cancelled", "idempotency_key": key });
        self.post(&format!("/v1/payments/{payment}/refund"), body)
            .await
    }

    async fn ship(&self, key: &str) -> SandboxAnswer {
        self.post("/v1/shipments", a_shipment(key)).await
    }

    async fn cancel(&self, shipment: &Value) -> SandboxAnswer {
        let path = format!("/v1/shipments/{shipment}/status");
        let body = json!({ "status": "CANCELLED" });
        self.call(Method::PATCH, &path, Some(&body)).await
    }
}

fn a_charge(key: &str, amount: &str) -> Value {
    json!({ "order_id": 1, "customer_id": 5, "amount": amount, "currency": "EUR", "idempotency_key": key })
}

fn a_shipment(key: &str) -> Value {
    json!({ "order_id": 1, "carrier": "DHL", "address": { "city": "Ulm", "zip": 89073 }, "idempotency_key": key })
}

#[tokio::test]
async fn sandbox_paths_work_with_and_without_a_trailing_slash() {
    let shop = SandboxShop::open().await;
    for path in ["/v1/payments", "/v1/shipments"] {
        assert_eq!(
            shop.get(&format!("{path}?order_id=1")).await.0,
            200,
            "{path}"
        );
        assert_eq!(
            shop.get(&format!("{path}/?order_id=1")).await.0,
            200,
            "{path}/"
        );
    }
    let (status, _) = shop
        .post("/v1/payments/charge/", a_charge("k", "1.00"))
        .await;
    assert_eq!(status, 201);
}

#[tokio::test]
async fn sandbox_lists_are_paginated_newest_first() {
    let shop = SandboxShop::open().await;
    for key in ["k-1", "k-2", "k-3"] {
        shop.charge(key, "1.00").await;
        shop.ship(key).await;
        let items = json!([{ "sku": "SKU0001", "quantity": 1 }]);
        shop.reserve(key, items).await;
    }
    for (path, name) in [
        ("/v1/payments", "idempotency_key"),
        ("/v1/shipments", "idempotency_key"),
        ("/v1/inventory/reservations", "reservation_id"),
    ] {
        let (mut keys, mut next) = (Vec::new(), Some(format!("{path}?page_size=2")));
        while let Some(page) = next {
            let (status, body) = shop.get(&page).await;
            assert_eq!((status, &body["count"]), (200, &json!(3)), "{body}");
            let items = body["items"].as_array().unwrap();
            keys.extend(items.iter().map(|row| row[name].clone()));
            next = body["next"].as_str().map(str::to_owned);
        }
        assert_eq!(keys, ["k-3", "k-2", "k-1"], "{path}");
        assert_eq!(shop.get(&format!("{path}?page=x")).await.0, 400, "{path}");
    }
}

#[tokio::test]
async fn unknown_sandbox_pages_and_methods_have_a_detail() {
    let shop = SandboxShop::open().await;
    let (status, body) = shop.get("/v1/nothing").await;
    assert_eq!((status, body["detail"].is_string()), (404, true));
    let (status, body) = shop.call(Method::DELETE, "/v1/shipments", None).await;
    assert_eq!((status, body["detail"].is_string()), (405, true));
}

#[tokio::test]
async fn an_invalid_sandbox_body_is_refused_without_effect() {
    let shop = SandboxShop::open().await;
    let posts = [
        "/v1/inventory/reserve",
        "/v1/inventory/release",
        "/v1/inventory/ship",
    ];
    let others = [
        "/v1/payments/charge",
        "/v1/payments/1/refund",
        "/v1/shipments",
        "/token/",
    ];
    let bodies = [
        json!([]),
        json!("text"),
        json!(null),
        json!({ "order_id": "x", "amount": [] }),
        json!({ "reservation_id": 5, "order_id": 1, "amount": "1.00" }),
        json!({ "reservation_id": "", "order_id": 1, "items": [], "username": 5 }),
    ];
    for path in posts.into_iter().chain(others) {
        for body in &bodies {
            let (status, answer) = shop.call(Method::POST, path, Some(body)).await;
            assert!((400..=422).contains(&status), "{path} {body}: {status}");
            assert!(answer["detail"].is_string(), "{path} {body}: {answer}");
        }
        let request = shop
            .client
            .post(shop.sandbox.urls().user.join("/token").unwrap())
            .body("{");
        assert_eq!(request.send().await.unwrap().status(), 400);
    }
}

#[tokio::test]
async fn the_ledger_of_an_order_is_filtered_on_every_port() {
    let shop = SandboxShop::open().await;
    shop.reserve("r-1", json!([{ "sku": "SKU0007", "quantity": 2 }]))
        .await;
    shop.charge("k-1", "9.90").await;
    let mut other = a_charge("k-2", "1.00");
    other["order_id"] = json!("2");
    shop.post("/v1/payments/charge", other).await;
    let urls = shop.sandbox.urls().clone();
    for url in [urls.user, urls.inventory, urls.payment, urls.shipping] {
        let url = url.join("/sandbox/ledger/?order_id=1").unwrap();
        let ledger: Value = shop
            .client
            .get(url)
            .send()
            .await
            .unwrap()
            .json()
            .await
            .unwrap();
        assert_eq!(ledger["charges"].as_array().map(Vec::len), Some(1));
        assert_eq!(ledger["charges"][0]["amount"], "9.90");
        assert_eq!(ledger["reservations"][0]["state"], "HELD");
        assert_eq!(ledger["stock"][0]["reserved"], 2);
        assert_eq!(ledger["calls"]["payment.charge"], 2);
    }
    assert_eq!(shop.sandbox.ledger().charges.len(), 2);
}

#[tokio::test]
async fn a_taken_port_is_reported_with_its_stand_in() {
    let shop = SandboxShop::open().await;
    let taken = shop.sandbox.urls().payment.port().unwrap();
    let mut wanted = settings();
    wanted.ports.shipping = taken;
    let error = Sandbox::start(wanted).await.unwrap_err().to_string();
    assert!(
        error.contains(&taken.to_string()) && error.contains("Shipping"),
        "{error}"
    );
}

#[tokio::test]
async fn a_stopped_sandbox_releases_its_ports_at_once() {
    let shop = SandboxShop::open().await;
    assert_eq!(shop.get("/sandbox/faults").await.0, 200);
    let port = shop.sandbox.urls().shipping.port().unwrap();
    shop.sandbox.stop().await;
    let mut again = settings();
    again.ports.shipping = port;
    Sandbox::start(again).await.unwrap().stop().await;
}
