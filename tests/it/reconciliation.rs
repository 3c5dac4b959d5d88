//! Reconciliation with the real command. Discrepancies are made through the peers' APIs or directly
//! in the tables.

mod bounds;
mod charges;
mod daily;
mod orphans;
mod parcels;

use order_service::config::Environment;
use sandbox::Operation;
use serde_json::{Value, json};

use crate::cli::{CommandResult, end, folder, order_service};
use crate::support::app::{TestApp, environment};
use crate::support::client::cart;

/// A running service that tracks no parcels during a test and runs late-arrival checks at once.
struct Shop {
    app: TestApp,
    http: reqwest::Client,
}

/// The output of a reconciliation run.
#[derive(Debug)]
pub struct Report {
    code: Option<i32>,
    findings: Vec<Value>,
    summary: Value,
}

impl Report {
    /// The findings as kind and order id, sorted.
    fn kinds(&self) -> Vec<(&str, i64)> {
        let mut kinds: Vec<_> = self
            .findings
            .iter()
            .map(|one| {
                let kind = one["finding"].as_str().unwrap();
                (kind, one["order_id"].as_i64().unwrap())
            })
            .collect();
        kinds.sort_unstable();
        kinds
    }

    /// Fails unless the run has this exit code, these findings and these repairs.
    #[track_caller]
    pub fn assert(&self, code: i32, repair: Option<&str>, kinds: &[(&str, i64)]) {
        assert_eq!(self.kinds(), kinds, "{self:#?}");
        assert_eq!(self.code, Some(code), "{self:#?}");
        for finding in &self.findings {
            assert_eq!(finding["repair"].as_str(), repair, "{self:#?}");
        }
    }
}

impl Shop {
    async fn open() -> Self {
        Self::with(&[]).await
    }

    async fn with(settings: &[(&str, &str)]) -> Self {
        let mut all = vec![("FOLLOW_INTERVAL_MS", "86400000"), ("SWEEP_AFTER_MS", "0")];
        all.extend(settings);
        Self {
            app: TestApp::with(&all).await,
            http: reqwest::Client::builder().no_proxy().build().unwrap(),
        }
    }

    /// A confirmed order.
    async fn confirmed(&self) -> i64 {
        let placed = self
            .app
            .customer(5)
            .place(&cart("SKU0001", 1, "10.00"))
            .await;
        assert_eq!(placed.body["order_status"], "CONFIRMED", "{placed:?}");
        placed.order_id()
    }

    /// A cancelled order after its late-arrival check.
    async fn cancelled(&self) -> i64 {
        let order_id = self.confirmed().await;
        self.app.customer(5).cancel(order_id).await;
        self.app
            .customer(5)
            .until_status(order_id, "CANCELLED")
            .await;
        self.until_late_arrival_check(order_id).await;
        order_id
    }

    async fn until_late_arrival_check(&self, order_id: i64) {
        crate::support::service::eventually("the late-arrival check is over", async || {
            let sql =
                "select phase = 'undone' and due_at is null from fulfilments where order_id = $1";
            let is_checked: bool = sqlx::query_scalar(sql)
                .bind(order_id)
                .fetch_one(&mut self.app.database.connection().await)
                .await
                .unwrap();
            is_checked.then_some(())
        })
        .await;
    }

    /// Changes the tables directly, unknown to the service.
    async fn sql(&self, sql: &'static str, order_id: i64) {
        let changed = sqlx::query(sql)
            .bind(order_id)
            .execute(&mut self.app.database.connection().await)
            .await
            .unwrap();
        assert_eq!(changed.rows_affected(), 1, "{sql}");
    }

    /// The idempotency key of a step of an order.
    async fn key(&self, order_id: i64, step: &str) -> String {
        let identity: String =
            sqlx::query_scalar("select identity::text from fulfilments where order_id = $1")
                .bind(order_id)
                .fetch_one(&mut self.app.database.connection().await)
                .await
                .unwrap();
        format!("{identity}-{step}")
    }

    /// Sends a request to a peer directly.
    async fn post(&self, operation: Operation, path: &str, body: Value) -> Value {
        let urls = self.app.sandbox.urls();
        let base = match operation.name().split('.').next().unwrap() {
            "payment" => &urls.payment,
            "shipping" => &urls.shipping,
            _ => &urls.inventory,
        };
        let url = base.join(path).unwrap();
        let answer = self.http.post(url).json(&body).send().await.unwrap();
        assert!(answer.status().is_success(), "{answer:?}");
        answer.json().await.unwrap()
    }

    async fn charge(&self, order_id: i64, amount: &str, key: &str) -> String {
        let body = json!({
            "order_id": order_id, "customer_id": 5, "amount": amount, "currency": "USD",
            "idempotency_key": key,
        });
        let made = self
            .post(Operation::Charge, "v1/payments/charge", body)
            .await;
        made["payment_id"].to_string()
    }

    async fn ship(&self, order_id: i64, key: &str) -> String {
        let body = json!({ "order_id": order_id, "carrier": "DHL", "idempotency_key": key });
        let made = self.post(Operation::Create, "v1/shipments", body).await;
        made["shipment_id"].to_string()
    }

    async fn reserve(&self, order_id: i64, reservation_id: &str) {
        let body = json!({
            "reservation_id": reservation_id, "order_id": order_id,
            "items": [{ "sku": "SKU0001", "quantity": 1 }], "idempotency_key": reservation_id,
        });
        self.post(Operation::Reserve, "v1/inventory/reserve", body)
            .await;
    }

    /// Refunds a charge at Payment, unknown to the service.
    async fn refund_by_hand(&self, payment_id: u64) {
        let path = format!("v1/payments/{payment_id}/refund");
        let body = json!({ "amount": "10.00", "idempotency_key": "by-hand" });
        self.post(Operation::Refund, &path, body).await;
    }

    fn environment(&self) -> Environment {
        environment(&self.app.database, &self.app.sandbox)
    }

    /// `order-service reconcile --json --grace 0` and these arguments.
    async fn reconcile(&self, arguments: &[&str]) -> Report {
        reconcile(&self.environment(), arguments).await
    }

    /// Every stuck order with its reason.
    async fn stuck(&self) -> Vec<(i64, String)> {
        let list = self.app.staff().get("/v1/ops/orders/stuck/").await;
        let rows = list.body["results"].as_array().unwrap().clone();
        rows.iter()
            .map(|row| {
                let reason = row["last_answer"].as_str().unwrap_or_default();
                (row["order_id"].as_i64().unwrap(), reason.to_owned())
            })
            .collect()
    }
}

/// `order-service reconcile --json --grace 0` and these arguments, with the settings of a service.
pub async fn reconcile(environment: &Environment, arguments: &[&str]) -> Report {
    let mut all = vec!["reconcile", "--json", "--grace", "0"];
    all.extend(arguments);
    let ended = command(environment, &all).await;
    let mut lines: Vec<Value> = ended
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).expect(line))
        .collect();
    let mut summary = lines.pop().unwrap_or_else(|| panic!("{ended:?}"));
    Report {
        code: ended.code,
        findings: lines,
        summary: summary["summary"].take(),
    }
}

async fn command(environment: &Environment, arguments: &[&str]) -> CommandResult {
    let folder = folder();
    let mut command = order_service(folder.path(), arguments);
    command.envs(environment.given());
    end(command).await
}
