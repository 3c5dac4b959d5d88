//! The configuration. It is read once at startup; all errors are reported together and never contain values.

use std::net::IpAddr;
use std::time::Duration;

use rust_decimal::Decimal;
use secrecy::SecretString;
use sqlx::postgres::PgConnectOptions;
use url::Url;

use crate::db::pool::{PoolSettings, Pooler};
use crate::domain::money::{Currency, Money, MoneyError, parse_decimal};
use crate::domain::order::PricingRules;
use crate::domain::saga::RetryPolicy;
use crate::{auth, http, orders, peers, reconciliation, saga, server};

mod edge;
mod environment;
mod keys;
mod manual;
mod reader;
mod reconciling;
mod roles;
mod telemetry;
mod variables;

pub use environment::{DEV_DATABASE, DEV_KEY, DEV_PEERS, Environment, dev_folder};
pub use keys::{database, token_key};
pub use manual::manual;
pub use reader::{ConfigErrors, SettingsReader};
pub use reconciling::ReconcileConfig;
pub use telemetry::telemetry;
pub use variables::{VARIABLES, Variable};

/// The consecutive failures that open the circuit breaker of a peer.
const BREAKER_FAILURES: u32 = 10;
/// The longest delay between two attempts at a saga step.
const RETRY_CAP: Duration = Duration::from_secs(20);

/// The configuration of `serve`. No `Debug`, because URLs may contain passwords.
#[derive(Clone)]
pub struct Config {
    /// The address of the API.
    pub listen: ListenAddress,
    /// The connection to the primary database.
    pub database: PgConnectOptions,
    /// The connection to a standby that lists are read from, if any.
    pub database_read: Option<PgConnectOptions>,
    /// The limits of the connection pools.
    pub limits: PoolSettings,
    /// How tokens are verified.
    pub auth: auth::AuthSettings,
    /// The key that signs list cursors.
    pub cursor_key: SecretString,
    /// The peer clients.
    pub peers: peers::PeerSettings,
    /// The URL of UserService.
    pub user_service: Url,
    /// The settings of the use cases.
    pub orders: orders::OrdersSettings,
    /// The settings of sagas.
    pub saga: saga::SagaSettings,
    /// The settings of reconciliation.
    pub reconciliation: reconciliation::ReconciliationSettings,
    /// The public URL of the service, if known.
    pub public_url: Option<Url>,
    /// The limits of client connections.
    pub connections: server::ConnectionLimits,
    /// The limits of requests.
    pub requests: http::RequestLimits,
    /// The separate port of /metrics, if any; 0 selects a free one.
    pub metrics_port: Option<u16>,
    /// The bearer token of /metrics, if any.
    pub metrics_token: Option<SecretString>,
    /// The interval of heartbeats on an idle event stream.
    pub heartbeat: Duration,
    /// How long requests are still accepted after readiness fails.
    pub shutdown_drain: Duration,
    /// The grace period of the shutdown after that.
    pub shutdown_grace: Duration,
}

/// An address to listen on.
#[derive(Clone, Copy, Debug)]
pub struct ListenAddress {
    /// The IP address.
    pub host: IpAddr,
    /// The port; 0 selects a free one.
    pub port: u16,
}

impl Config {
    /// Reads the configuration of `serve`.
    pub fn read(reader: &mut SettingsReader<'_>) -> Option<Self> {
        let database = database(reader);
        let database_read = keys::database_read(reader);
        let listen = listen(reader);
        let limits = pool_limits(reader);
        let auth = auth_settings(reader);
        let cursor_key = keys::cursor_key(reader, auth.as_ref());
        let user_service = reader.value("USER_SERVICE_URL", parse_url);
        let timeout = milliseconds(reader, "PEER_TIMEOUT_MS", 10..=120_000);
        let peers = peer_settings(reader, timeout);
        let lease = seconds(reader, "LEASE_S", 1..=3600);
        let orders = order_settings(reader, lease);
        let saga = saga_settings(reader, lease);
        let reconciliation = reconciling::settings(reader, peers.as_ref(), saga.as_ref());
        let public_url = optional_url(reader);
        let connections = edge::connection_limits(reader);
        let settle_wait = orders.as_ref().map(|orders| orders.settle_wait);
        let requests = edge::request_limits(reader, settle_wait);
        let metrics_port = edge::metrics_port(reader);
        let metrics_token = reader.text("METRICS_TOKEN").map(SecretString::from);
        let heartbeat = milliseconds(reader, "LIVE_HEARTBEAT_MS", 10..=600_000);
        let shutdown_drain = milliseconds(reader, "SHUTDOWN_DRAIN_MS", 0..=600_000);
        let shutdown_grace = seconds(reader, "SHUTDOWN_GRACE_S", 1..=3600);
        if let (Some(timeout), Some(lease)) = (timeout, lease)
            && lease < timeout * 6
        {
            reader.reject("LEASE_S", "must be at least six times PEER_TIMEOUT_MS");
        }
        Some(Self {
            listen: listen?,
            database: database?,
            database_read: database_read?,
            limits: limits?,
            auth: auth?,
            cursor_key: cursor_key?,
            peers: peers?,
            user_service: user_service?,
            orders: orders?,
            saga: saga?,
            reconciliation: reconciliation?,
            public_url,
            connections: connections?,
            requests: requests?,
            metrics_port,
            metrics_token,
            heartbeat: heartbeat?,
            shutdown_drain: shutdown_drain?,
            shutdown_grace: shutdown_grace?,
        })
    }
}

fn pool_limits(reader: &mut SettingsReader<'_>) -> Option<PoolSettings> {
    let max_connections = reader.number("DATABASE_MAX_CONNECTIONS", 2..=1000);
    let acquire_timeout = milliseconds(reader, "DATABASE_WAIT_MS", 100..=10_000);
    let pooler = pooler(reader);
    Some(PoolSettings {
        max_connections: usize::try_from(max_connections?).ok()?,
        acquire_timeout: acquire_timeout?,
        pooler: pooler?,
        takes_standby: false,
    })
}

/// Reads the address to listen on.
pub fn listen(reader: &mut SettingsReader<'_>) -> Option<ListenAddress> {
    let host = reader.value("HOST", |text| {
        text.parse().map_err(|_| "must be an IP address".to_owned())
    });
    let port = reader.number("PORT", 0..=65535);
    Some(ListenAddress {
        host: host?,
        port: u16::try_from(port?).ok()?,
    })
}

/// Reads the currency of the shop.
pub fn currency(reader: &mut SettingsReader<'_>) -> Option<Currency> {
    reader.value("CURRENCY", |text| {
        Currency::from_code(text)
            .ok_or("must be a currency code of ISO 4217, such as USD".to_owned())
    })
}

fn pooler(reader: &mut SettingsReader<'_>) -> Option<Pooler> {
    reader.value("DATABASE_POOLER", |text| match text {
        "none" => Ok(Pooler::None),
        "transaction" => Ok(Pooler::Transaction),
        _ => Err("must be none or transaction".to_owned()),
    })
}

fn auth_settings(reader: &mut SettingsReader<'_>) -> Option<auth::AuthSettings> {
    let key = keys::verification_key(reader);
    let issuer = reader.text("JWT_ISSUER");
    let audience = reader.text("JWT_AUDIENCE");
    let leeway_s = reader.number("JWT_LEEWAY_S", 0..=300);
    let roles = roles::roles(reader);
    Some(auth::AuthSettings {
        key: key?,
        issuer,
        audience,
        leeway_s: leeway_s?,
        roles: roles?,
    })
}

fn peer_settings(
    reader: &mut SettingsReader<'_>,
    timeout: Option<Duration>,
) -> Option<peers::PeerSettings> {
    let inventory = reader.value("INVENTORY_SERVICE_URL", parse_url);
    let payment = reader.value("PAYMENT_SERVICE_URL", parse_url);
    let shipping = reader.value("SHIPPING_SERVICE_URL", parse_url);
    let connect_timeout = milliseconds(reader, "PEER_CONNECT_TIMEOUT_MS", 10..=120_000);
    let max_calls = reader.number("PEER_MAX_CALLS", 2..=10_000);
    let breaker_cooldown = milliseconds(reader, "PEER_BREAKER_REST_MS", 1..=600_000);
    Some(peers::PeerSettings {
        inventory: inventory?,
        payment: payment?,
        shipping: shipping?,
        timeout: timeout?,
        connect_timeout: connect_timeout?,
        limits: peers::PeerLimits {
            max_concurrent_calls: usize::try_from(max_calls?).ok()?,
            breaker_failures: BREAKER_FAILURES,
            breaker_cooldown: breaker_cooldown?,
            queue_timeout: timeout?,
        },
    })
}

fn order_settings(
    reader: &mut SettingsReader<'_>,
    lease: Option<Duration>,
) -> Option<orders::OrdersSettings> {
    let currency = currency(reader);
    let tax_rate = reader.value("TAX_RATE", |text| {
        parse_decimal(text)
            .ok()
            .filter(|rate| *rate >= Decimal::ZERO && *rate <= Decimal::ONE)
            .ok_or("must be a share from 0 to 1, such as 0.18".to_owned())
    });
    let shipping_fee = reader.value("SHIPPING_FEE", |text| {
        fee(text, currency).map_err(|error| error.to_string())
    });
    let settle_wait = milliseconds(reader, "SETTLE_WAIT_MS", 0..=60_000);
    let key_days = reader.number("IDEMPOTENCY_KEY_DAYS", 1..=3650);
    let live = live_settings(reader);
    let pricing = PricingRules {
        currency: currency?,
        tax_rate: tax_rate?,
        shipping_fee: shipping_fee??,
    };
    Some(orders::OrdersSettings {
        pricing,
        settle_wait: settle_wait?,
        keys_kept: Duration::from_secs(key_days? * 86_400),
        lease: lease?,
        live: live?,
    })
}

fn live_settings(reader: &mut SettingsReader<'_>) -> Option<orders::LiveSettings> {
    let poll_interval = milliseconds(reader, "LIVE_POLL_MS", 10..=60_000);
    let max_age = seconds(reader, "LIVE_MAX_AGE_S", 1..=86_400);
    let max_listeners = reader.number("LIVE_MAX_LISTENERS", 0..=1_000_000);
    let max_per_caller = reader.number("LIVE_MAX_PER_CALLER", 1..=1_000_000);
    Some(orders::LiveSettings {
        poll_interval: poll_interval?,
        max_age: max_age?,
        max_listeners: usize::try_from(max_listeners?).ok()?,
        max_per_caller: usize::try_from(max_per_caller?).ok()?,
    })
}

/// Parses a fee of zero or more. Without a currency, only checks the number.
fn fee(text: &str, currency: Option<Currency>) -> Result<Option<Money>, MoneyError> {
    let exact = parse_decimal(text)?;
    let Some(currency) = currency else {
        return Ok(None);
    };
    if exact.is_zero() {
        return Ok(Some(Money::zero(currency)));
    }
    Money::parse_price(text, currency).map(Some)
}

fn saga_settings(
    reader: &mut SettingsReader<'_>,
    lease: Option<Duration>,
) -> Option<saga::SagaSettings> {
    let progress_delay = milliseconds(reader, "PROGRESS_DELAY_MS", 0..=10_000);
    let retry_base = milliseconds(reader, "RETRY_BASE_MS", 1..=60_000);
    let follow_interval = milliseconds(reader, "FOLLOW_INTERVAL_MS", 100..=86_400_000);
    let poll_interval = milliseconds(reader, "POLL_INTERVAL_MS", 10..=60_000);
    let sweep_after = milliseconds(reader, "SWEEP_AFTER_MS", 0..=86_400_000);
    let max_sagas = reader.number("MAX_SAGAS", 1..=10_000);
    let carrier = reader.value("CARRIER", |text| Ok(text.to_owned()));
    Some(saga::SagaSettings {
        lease: lease?,
        progress_delay: progress_delay?,
        retry: RetryPolicy {
            base: retry_base?,
            cap: RETRY_CAP,
            follow_interval: follow_interval?,
            sweep_after: sweep_after?,
        },
        poll_interval: poll_interval?,
        max_sagas: usize::try_from(max_sagas?).ok()?,
        carrier: carrier?,
    })
}

fn optional_url(reader: &mut SettingsReader<'_>) -> Option<Url> {
    let text = reader.text("PUBLIC_URL")?;
    parse_url(&text)
        .map_err(|fault| reader.reject("PUBLIC_URL", fault))
        .ok()
}

fn parse_url(text: &str) -> Result<Url, String> {
    Url::parse(text)
        .ok()
        .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
        .ok_or("must be a URL such as http://localhost:8002".to_owned())
}

fn milliseconds(
    reader: &mut SettingsReader<'_>,
    name: &'static str,
    bounds: std::ops::RangeInclusive<u64>,
) -> Option<Duration> {
    reader.number(name, bounds).map(Duration::from_millis)
}

fn seconds(
    reader: &mut SettingsReader<'_>,
    name: &'static str,
    bounds: std::ops::RangeInclusive<u64>,
) -> Option<Duration> {
    reader.number(name, bounds).map(Duration::from_secs)
}
