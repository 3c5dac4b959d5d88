//! Everything that outlives a process: the database, the peers, the client and time.

use std::time::Duration;

use order_service::config::Config;
use order_service::domain::cart::{Cart, CartLine};
use order_service::domain::ids::{CustomerId, OrderId};
use order_service::domain::money::Money;
use order_service::domain::principal::{Principal, Role};
use order_service::orders::ClientKey;
use sandbox::{Ledger, Operation, Sandbox};
use serde_json::Value;
use sqlx::PgConnection;
use tokio::sync::Mutex;

use super::process::SimulatedProcess;
use crate::support::app::{TestApp, environment};
use crate::support::database::TestDatabase;

/// When completed steps are written to the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ProgressMode {
    /// Each step at once.
    Immediate,
    /// Buffered: with the steps that follow soon, or during the next slow call.
    Buffered,
}

impl ProgressMode {
    pub const ALL: [Self; 2] = [Self::Immediate, Self::Buffered];

    fn delay_ms(self) -> &'static str {
        match self {
            Self::Immediate => "0",
            Self::Buffered => "50",
        }
    }
}

/// The surroundings that several processes share.
pub struct CrashEnvironment {
    pub mode: ProgressMode,
    pub config: Config,
    pub sandbox: Sandbox,
    pub customer: Principal,
    pub staff: Principal,
    /// The process that continues after a crash, and runs scenarios without one.
    pub healthy: Option<SimulatedProcess>,
    conn: Mutex<PgConnection>,
    orders: u32,
    _database: TestDatabase,
}

/// The status of an order's saga.
#[derive(sqlx::FromRow, Debug)]
pub struct SagaStatus {
    pub phase: String,
    pub leased: bool,
    pub is_due: bool,
    pub epoch: i64,
    pub cancel_requested: bool,
}

impl SagaStatus {
    /// Whether no step is in progress or due.
    pub fn is_at_rest(&self) -> bool {
        !self.leased && matches!(self.phase.as_str(), "completed" | "undone" | "stuck")
    }
}

impl CrashEnvironment {
    pub async fn new(mode: ProgressMode) -> Self {
        let database = TestDatabase::new().await;
        let sandbox = TestApp::sandbox().await;
        let mut environment = environment(&database, &sandbox);
        for (name, value) in [
            ("DATABASE_MAX_CONNECTIONS", "2"),
            ("PEER_TIMEOUT_MS", "100"),
            ("POLL_INTERVAL_MS", "10"),
            ("RETRY_BASE_MS", "10"),
            // The test advances time explicitly.
            ("FOLLOW_INTERVAL_MS", "3600000"),
            ("SWEEP_AFTER_MS", "3600000"),
            ("SETTLE_WAIT_MS", "0"),
            ("PROGRESS_DELAY_MS", mode.delay_ms()),
        ] {
            environment.set(name, value);
        }
        let mut config = environment.read(Config::read).unwrap();
        // Short enough that a hanging peer forces a renewal or the loss of the lease.
        let lease = Duration::from_millis(240);
        config.saga.lease = lease;
        config.orders.lease = lease;
        let person = |role, name: &str| Principal {
            role,
            customer_id: (role == Role::Customer).then_some(CustomerId(7)),
            name: name.to_owned(),
        };
        Self {
            mode,
            sandbox,
            customer: person(Role::Customer, "7"),
            staff: person(Role::Staff, "ops"),
            healthy: Some(SimulatedProcess::new(&config, None)),
            conn: Mutex::new(database.connection().await),
            config,
            orders: 0,
            _database: database,
        }
    }

    /// An unused idempotency key.
    pub fn new_key(&mut self) -> ClientKey {
        self.orders += 1;
        ClientKey {
            key: self.orders.to_string(),
            fingerprint: vec![1],
        }
    }

    /// The expected number of orders: one for each key.
    pub fn keys(&self) -> i64 {
        self.orders.into()
    }

    /// Two units of a SKU that varies, so that the stock suffices.
    pub fn cart(&self) -> Cart {
        let sku = format!("SKU{:04}", self.orders % 100 + 1);
        let currency = self.config.orders.pricing.currency;
        let unit_price = Money::parse_price("12.50", currency).unwrap();
        let line_total = unit_price.times(2).unwrap();
        Cart {
            customer_id: CustomerId(7),
            lines: vec![CartLine {
                product_id: None,
                sku,
                name: None,
                quantity: 2,
                unit_price,
                line_total,
            }],
            totals: self.config.orders.pricing.totals(line_total).unwrap(),
            payment_method: None,
            shipping_address: None,
        }
    }

    /// The saga status of an order.
    pub async fn saga_status(&self, order_id: OrderId) -> SagaStatus {
        sqlx::query_as(
            "select phase, leased, due_at is not null as is_due, epoch, cancel_requested \
             from fulfilments join orders using (order_id) where order_id = $1",
        )
        .bind(order_id.0)
        .fetch_one(&mut *self.conn.lock().await)
        .await
        .unwrap()
    }

    /// The fields of an order that the ledgers must agree with.
    pub async fn order(&self, order_id: OrderId) -> Value {
        let orders = self.orders_where("order_id = $1", order_id).await;
        orders.into_iter().next().unwrap()
    }

    /// Every order.
    pub async fn all_orders(&self) -> Vec<Value> {
        self.orders_where("order_id > $1", OrderId(0)).await
    }

    async fn orders_where(&self, condition: &str, order_id: OrderId) -> Vec<Value> {
        let sql = format!(
            "select to_jsonb(o) || jsonb_build_object('order_total', order_total::text) \
             from orders o where {condition}"
        );
        sqlx::query_scalar(sqlx::AssertSqlSafe(sql))
            .bind(order_id.0)
            .fetch_all(&mut *self.conn.lock().await)
            .await
            .unwrap()
    }

    /// Advances time until the saga is due, unless it is leased.
    pub async fn make_due(&self, order_id: OrderId) {
        self.pass("update fulfilments set due_at = now() where order_id = $1 and not leased and due_at > now()", order_id)
            .await;
    }

    /// Advances time until the lease of a dead process has expired.
    pub async fn expire_lease(&self, order_id: OrderId) {
        self.pass(
            "update fulfilments set due_at = now() where order_id = $1 and leased",
            order_id,
        )
        .await;
    }

    async fn pass(&self, sql: &'static str, order_id: OrderId) {
        sqlx::query(sql)
            .bind(order_id.0)
            .execute(&mut *self.conn.lock().await)
            .await
            .unwrap();
    }

    /// The peers' ledger.
    pub fn ledger(&self) -> Ledger {
        self.sandbox.ledger()
    }

    /// The number of calls of an operation.
    pub fn calls(&self, operation: Option<Operation>) -> u64 {
        let calls = self.sandbox.ledger().calls;
        operation
            .and_then(|operation| calls.get(&operation).copied())
            .unwrap_or_default()
    }
}
