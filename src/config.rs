//! Configuration: read once at the start, every mistake told at once, none in clear.

use std::net::IpAddr;
use std::time::Duration;

use rust_decimal::Decimal;
use secrecy::SecretString;
use sqlx::postgres::PgConnectOptions;
use url::Url;

use crate::db::pool::{Limits, Pooler};
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
pub use reader::{Faults, Reader};
pub use reconciling::Reconciling;
pub use telemetry::telemetry;
pub use variables::{VARIABLES, Variable};

/// After how many failures in a row a peer is left alone.
const BREAKER_FAILURES: u32 = 10;
/// The longest delay between two attempts at a step.
const RETRY_CAP: Duration = Duration::from_secs(20);

/// Everything that can be configured. No `Debug`: URLs may carry passwords.
#[derive(Clone)]
pub struct Config {
    /// Where to listen.
    pub listen: Listen,
    /// Where the database is.
    pub database: PgConnectOptions,
    /// Where a standby is that lists are read from, if there is one.
    pub database_read: Option<PgConnectOptions>,
    /// How its pool is sized.
    pub limits: Limits,
    /// What is asked of tokens.
    pub auth: auth::Settings,
    /// What cursors of lists are signed with.
    pub cursor_key: SecretString,
    /// Where the peers are.
    pub peers: peers::PeerSettings,
    /// Where people sign in.
    pub user_service: Url,
    /// How the use cases work.
    pub orders: orders::OrdersSettings,
    /// How fulfilment works.
    pub fulfilment: saga::SagaSettings,
    /// How orders are compared with the peers' ledgers.
    pub reconciliation: reconciliation::ReconciliationSettings,
    /// How clients reach the service, where that is known.
    pub public_url: Option<Url>,
    /// What connections may take.
    pub connections: server::Limits,
    /// What requests may take.
    pub requests: http::RequestLimits,
    /// The port of /metrics, where it has one of its own; 0 for any that is free.
    pub metrics_port: Option<u16>,
    /// What /metrics asks for, if anything.
    pub metrics_token: Option<SecretString>,
    /// How often a silent stream of events sends a sign of life.
    pub heartbeat: Duration,
    /// How long requests are still taken after readiness has begun to fail.
    pub shutdown_drain: Duration,
    /// How long a stop may take from then on.
    pub shutdown_grace: Duration,
}

/// Where to listen.
#[derive(Clone, Copy, Debug)]
pub struct Listen {
    /// On which address.
    pub host: IpAddr,
    /// On which port; 0 for any that is free.
    pub port: u16,
}

impl Config {
    /// Reads everything that serving needs.
    pub fn read(reader: &mut Reader<'_>) -> Option<Self> {
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
        let fulfilment = fulfilment_settings(reader, lease);
        let reconciliation = reconciling::settings(reader, peers.as_ref(), fulfilment.as_ref());
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
            reader.fault("LEASE_S", "must be at least six times PEER_TIMEOUT_MS");
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
            fulfilment: fulfilment?,
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

fn pool_limits(reader: &mut Reader<'_>) -> Option<Limits> {
    let max_connections = reader.number("DATABASE_MAX_CONNECTIONS", 2..=1000);
    let acquire_timeout = milliseconds(reader, "DATABASE_WAIT_MS", 100..=10_000);
    let pooler = pooler(reader);
    Some(Limits {
        max_connections: usize::try_from(max_connections?).ok()?,
        acquire_timeout: acquire_timeout?,
        pooler: pooler?,
        takes_standby: false,
    })
}

/// Reads where to listen.
pub fn listen(reader: &mut Reader<'_>) -> Option<Listen> {
    let host = reader.value("HOST", |text| {
        text.parse().map_err(|_| "must be an IP address".to_owned())
    });
    let port = reader.number("PORT", 0..=65535);
    Some(Listen {
        host: host?,
        port: u16::try_from(port?).ok()?,
    })
}

/// Reads the currency of the shop.
pub fn currency(reader: &mut Reader<'_>) -> Option<Currency> {
    reader.value("CURRENCY", |text| {
        Currency::from_code(text)
            .ok_or("must be a currency code of ISO 4217, such as USD".to_owned())
    })
}

fn pooler(reader: &mut Reader<'_>) -> Option<Pooler> {
    reader.value("DATABASE_POOLER", |text| match text {
        "none" => Ok(Pooler::None),
        "transaction" => Ok(Pooler::Transaction),
        _ => Err("must be none or transaction".to_owned()),
    })
}

fn auth_settings(reader: &mut Reader<'_>) -> Option<auth::Settings> {
    let key = keys::verification_key(reader);
    let issuer = reader.text("JWT_ISSUER");
    let audience = reader.text("JWT_AUDIENCE");
    let leeway_s = reader.number("JWT_LEEWAY_S", 0..=300);
    let roles = roles::roles(reader);
    Some(auth::Settings {
        key: key?,
        issuer,
        audience,
        leeway_s: leeway_s?,
        roles: roles?,
    })
}

fn peer_settings(
    reader: &mut Reader<'_>,
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
    reader: &mut Reader<'_>,
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

fn live_settings(reader: &mut Reader<'_>) -> Option<orders::LiveSettings> {
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

/// A fee, which may be nothing; without a currency, only whether it can be one.
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

fn fulfilment_settings(
    reader: &mut Reader<'_>,
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

fn optional_url(reader: &mut Reader<'_>) -> Option<Url> {
    let text = reader.text("PUBLIC_URL")?;
    parse_url(&text)
        .map_err(|fault| reader.fault("PUBLIC_URL", fault))
        .ok()
}

fn parse_url(text: &str) -> Result<Url, String> {
    Url::parse(text)
        .ok()
        .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
        .ok_or("must be a URL such as http://localhost:8002".to_owned())
}

fn milliseconds(
    reader: &mut Reader<'_>,
    name: &'static str,
    bounds: std::ops::RangeInclusive<u64>,
) -> Option<Duration> {
    reader.number(name, bounds).map(Duration::from_millis)
}

fn seconds(
    reader: &mut Reader<'_>,
    name: &'static str,
    bounds: std::ops::RangeInclusive<u64>,
) -> Option<Duration> {
    reader.number(name, bounds).map(Duration::from_secs)
}
