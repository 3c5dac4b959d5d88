//! The real service in this process, with its own database, port and sandbox peers.

use order_service::app::App;
use order_service::config::{Config, Environment};
use sandbox::{Ports, Sandbox, Settings};
use secrecy::SecretString;

use super::client::{Client, SECRET};
use super::database::TestDatabase;

/// A running service with its database and its sandbox peers.
pub struct TestApp {
    pub database: TestDatabase,
    pub sandbox: Sandbox,
    pub base: String,
    app: Option<App>,
    environment: Environment,
}

impl TestApp {
    /// Starts it with fast retries and defaults otherwise.
    pub async fn start() -> Self {
        Self::with(&[]).await
    }

    /// Starts it with these settings, by the names of their variables.
    pub async fn with(settings: &[(&str, &str)]) -> Self {
        let database = TestDatabase::new().await;
        let url = database.url();
        Self::reaching(database, &url, settings).await
    }

    /// Starts it with a database that it reaches by this URL.
    pub async fn reaching(database: TestDatabase, url: &str, settings: &[(&str, &str)]) -> Self {
        let sandbox = Self::sandbox().await;
        let mut environment = environment_of(url, &sandbox);
        for (name, value) in settings {
            environment.set(name, *value);
        }
        let app = App::start(environment.read(Config::read).unwrap()).unwrap();
        let base = format!("http://{}", app.address());
        Self {
            database,
            sandbox,
            base,
            app: Some(app),
            environment,
        }
    }

    /// Sandbox peers whose parcels advance only on demand.
    pub async fn sandbox() -> Sandbox {
        let settings = Settings {
            ports: Ports::FREE,
            parcel_pace: None,
            ..Settings::new(SecretString::from(SECRET))
        };
        Sandbox::start(settings).await.unwrap()
    }

    /// Changes a setting for the next start.
    pub fn set(&mut self, name: &str, value: &str) {
        self.environment.set(name, value);
    }

    /// Shuts the service down gracefully and starts it again on another port.
    pub async fn restart(&mut self) {
        self.stop().await;
        self.start_again().await;
    }

    /// Starts a stopped service again on another port.
    pub async fn start_again(&mut self) {
        let app = App::start(self.environment.read(Config::read).unwrap()).unwrap();
        self.base = format!("http://{}", app.address());
        self.app = Some(app);
    }

    /// Shuts the service down gracefully.
    pub async fn stop(&mut self) {
        self.take().stop().await;
    }

    /// Hands the running service over, so that a test can observe its shutdown.
    pub fn take(&mut self) -> App {
        self.app.take().unwrap()
    }

    /// The base URL of the separate metrics port.
    pub fn metrics_base(&self) -> String {
        let address = self.app.as_ref().and_then(App::metrics_address);
        format!("http://{}", address.unwrap())
    }

    pub fn anonymous(&self) -> Client {
        Client::anonymous(&self.base)
    }

    pub fn customer(&self, customer_id: i64) -> Client {
        Client::customer(&self.base, customer_id)
    }

    pub fn staff(&self) -> Client {
        Client::staff(&self.base)
    }

    pub fn service(&self) -> Client {
        Client::service(&self.base)
    }

    /// The number of stored orders.
    pub async fn stored_orders(&self) -> i64 {
        self.database.count("orders").await
    }

    /// The number of calls that the peers have received.
    pub fn peer_calls(&self) -> u64 {
        self.sandbox.ledger().calls.values().sum()
    }
}

/// The test settings: generous limits for a busy machine, short intervals elsewhere.
pub fn environment(database: &TestDatabase, sandbox: &Sandbox) -> Environment {
    environment_of(&database.url(), sandbox)
}

/// The test settings for the database of this URL.
pub fn environment_of(database_url: &str, sandbox: &Sandbox) -> Environment {
    let urls = sandbox.urls();
    let mut environment = Environment::default();
    for (name, value) in [
        ("DATABASE_URL", database_url.to_owned()),
        ("DATABASE_MAX_CONNECTIONS", "8".to_owned()),
        ("DATABASE_WAIT_MS", "10000".to_owned()),
        ("HOST", "127.0.0.1".to_owned()),
        ("PORT", "0".to_owned()),
        ("SECRET_KEY", SECRET.to_owned()),
        ("USER_SERVICE_URL", urls.user.to_string()),
        ("INVENTORY_SERVICE_URL", urls.inventory.to_string()),
        ("PAYMENT_SERVICE_URL", urls.payment.to_string()),
        ("SHIPPING_SERVICE_URL", urls.shipping.to_string()),
        ("SETTLE_WAIT_MS", "20000".to_owned()),
        ("RETRY_BASE_MS", "10".to_owned()),
        ("POLL_INTERVAL_MS", "25".to_owned()),
        ("PEER_BREAKER_REST_MS", "50".to_owned()),
        ("FOLLOW_INTERVAL_MS", "100".to_owned()),
        ("RECONCILE_EVERY_HOURS", "0".to_owned()),
        ("RATE_LIMIT_PER_S", "10000".to_owned()),
        ("RATE_LIMIT_BURST", "10000".to_owned()),
    ] {
        environment.set(name, value);
    }
    environment
}
