//! The environment of `order-service dev`: a database, the stand-ins, demo orders and the service. They
//! start in this order and stop in reverse.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use sqlx::{Connection as _, PgConnection};
use url::Url;

use crate::app::App;
use crate::config::{Config, DEV_PEERS, Environment};
use sandbox::{Ports, Sandbox};

mod database;
mod demo;
mod files;

pub use database::DevDatabase;

type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Settings of a dev environment.
pub struct DevSettings {
    /// Folder that keeps the data between runs.
    pub folder: PathBuf,
    /// Whether to delete existing data first.
    pub fresh: bool,
    /// Port of the service.
    pub port: u16,
    /// Ports of the stand-ins.
    pub sandbox_ports: Ports,
    /// Time between two statuses of a parcel.
    pub parcel_pace: Duration,
    /// Other settings of the service.
    pub environment: Environment,
}

/// A running dev environment.
pub struct DevEnvironment {
    database: DevDatabase,
    sandbox: Sandbox,
    app: App,
    key: SecretString,
    base_url: String,
    _peers_file: files::TemporaryFile,
}

impl DevEnvironment {
    /// Starts all components.
    pub async fn start(settings: DevSettings) -> Result<Self> {
        let DevSettings {
            folder,
            fresh,
            port,
            sandbox_ports,
            parcel_pace,
            mut environment,
        } = settings;
        refuse_taken_ports(port, sandbox_ports)?;
        let database = DevDatabase::start(&folder, fresh, &environment).await?;
        let key = files::secret_key(&folder, &environment)?;
        let state_file = folder.join("sandbox.json");
        if fresh {
            files::remove(&state_file)?;
        }
        let base_url = format!("http://localhost:{port}");
        let sandbox = Sandbox::start(sandbox::Settings {
            ports: sandbox_ports,
            state_file: Some(state_file),
            parcel_pace: Some(parcel_pace),
            order_service_url: Some(Url::parse(&base_url)?),
            ..sandbox::Settings::new(key.clone())
        })
        .await?;

        let urls = sandbox.urls();
        environment.set("DATABASE_URL", database.url());
        environment.set("HOST", Ipv4Addr::LOCALHOST.to_string());
        environment.set("PORT", port.to_string());
        environment.set("SECRET_KEY", key.expose_secret());
        let mut peers = String::new();
        for (name, url) in [
            ("USER_SERVICE_URL", &urls.user),
            ("INVENTORY_SERVICE_URL", &urls.inventory),
            ("PAYMENT_SERVICE_URL", &urls.payment),
            ("SHIPPING_SERVICE_URL", &urls.shipping),
        ] {
            environment.set(name, url.as_str());
            peers.push_str(&format!("{name}={url}\n"));
        }
        let peers_file = files::TemporaryFile::write(folder.join(DEV_PEERS), &peers)?;
        environment.fall_back("FOLLOW_INTERVAL_MS", "2000");
        let config = environment.read(Config::read)?;
        let mut conn = PgConnection::connect_with(&config.database).await?;
        demo::load(&mut conn, config.orders.pricing.currency, &folder).await?;
        conn.close().await?;
        let app = App::start(config)?;
        Ok(Self {
            database,
            sandbox,
            app,
            key,
            base_url,
            _peers_file: peers_file,
        })
    }

    /// Base URL of the service.
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// URL of the stand-in for UserService.
    pub fn user_service(&self) -> &Url {
        &self.sandbox.urls().user
    }

    /// The secret that signs tokens.
    pub fn key(&self) -> &SecretString {
        &self.key
    }

    /// Stops all components.
    pub async fn stop(self) -> Result {
        self.app.stop().await;
        self.sandbox.stop().await;
        self.database.stop().await
    }
}

/// Reports all taken ports at once, before anything starts.
fn refuse_taken_ports(port: u16, sandbox: Ports) -> Result {
    let wanted = [
        (port, "the service", "--port"),
        (sandbox.user, "UserService", "--user-port"),
        (sandbox.inventory, "Inventory", "--inventory-port"),
        (sandbox.payment, "Payment", "--payment-port"),
        (sandbox.shipping, "Shipping", "--shipping-port"),
    ];
    let taken: Vec<String> = wanted
        .iter()
        .filter(|(port, ..)| {
            TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, *port))).is_err()
        })
        .map(|(port, what, flag)| {
            format!("port {port} for {what} is taken (choose another with {flag})")
        })
        .collect();
    if taken.is_empty() {
        return Ok(());
    }
    Err(format!(
        "{}; perhaps another 'order-service dev' is running",
        taken.join(", ")
    )
    .into())
}

/// Creates the folder if it is missing and returns its canonical path.
fn prepare(folder: &Path) -> Result<PathBuf> {
    std::fs::create_dir_all(folder)
        .and_then(|()| folder.canonicalize())
        .map_err(|error| format!("cannot create the folder {}: {error}", folder.display()).into())
}
