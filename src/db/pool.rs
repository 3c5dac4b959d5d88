//! The connection pool: deadpool with sqlx's connections, used by `run!` alone. It pings a connection only
//! after a long idle time. sqlx's own pool pings at every release, which costs as much as a short query.

use std::sync::Arc;
use std::time::{Duration, Instant};

use deadpool::managed::{self, RecycleError, RecycleResult};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions, Connection as _, Row as _};

use crate::metrics::Metrics;

use super::Error;

/// The idle time after which a connection is pinged before use.
const PING_AFTER: Duration = Duration::from_secs(30);
/// The timeout of a ping.
const PING_TIMEOUT: Duration = Duration::from_secs(1);
/// The duration from which a statement is logged as slow.
const SLOW_STATEMENT: Duration = Duration::from_secs(1);

/// The error of a connection to a standby where a primary is required.
const STANDBY: &str = "the server is a standby, which only reads";

/// The size of the pool, and the kind of server.
#[derive(Clone, Copy, Debug)]
pub struct PoolSettings {
    /// The largest number of connections.
    pub max_connections: usize,
    /// The timeout of the wait for a free connection, and of opening one.
    pub acquire_timeout: Duration,
    /// The external pooler between this pool and the database.
    pub pooler: Pooler,
    /// Whether the server may be a read-only standby.
    pub takes_standby: bool,
}

/// An external pooler between this pool and the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pooler {
    /// None, or one in session mode: a client keeps its server connection.
    None,
    /// One in transaction mode, such as PgBouncer: the server connection may change after each transaction.
    /// Work runs in a transaction, and no statement stays prepared after it.
    Transaction,
}

/// The connection pool of one database. Cheap to clone.
#[derive(Clone)]
pub struct ConnectionPool {
    pool: managed::Pool<Connector>,
    pooler: Pooler,
    metrics: Arc<Metrics>,
}

/// The connections of the pool by state.
#[derive(Clone, Copy, Debug)]
pub struct PoolUsage {
    /// Open connections.
    pub open: usize,
    /// Open connections that are not in use.
    pub idle: usize,
    /// Callers that wait for a connection.
    pub waiting: usize,
}

impl ConnectionPool {
    /// A pool without connections; the first use opens one.
    pub fn new(
        options: PgConnectOptions,
        settings: PoolSettings,
        metrics: Arc<Metrics>,
    ) -> Result<Self, managed::BuildError> {
        let options = options
            .log_statements(tracing::log::LevelFilter::Off)
            .log_slow_statements(tracing::log::LevelFilter::Warn, SLOW_STATEMENT)
            // Results are binary, so the parameter has no effect, and PgBouncer rejects it.
            .extra_float_digits(None);
        let takes_standby = settings.takes_standby;
        let pool = managed::Pool::builder(Connector {
            options,
            takes_standby,
        })
        .max_size(settings.max_connections)
        .wait_timeout(Some(settings.acquire_timeout))
        .create_timeout(Some(settings.acquire_timeout))
        .runtime(deadpool::Runtime::Tokio1)
        .build()?;
        Ok(Self {
            pool,
            pooler: settings.pooler,
            metrics,
        })
    }

    /// Acquires a connection opened after this time; older ones are closed.
    pub(super) async fn acquire(
        &self,
        opened_after: Option<Instant>,
    ) -> Result<managed::Object<Connector>, Error> {
        loop {
            let object = self.pool.get().await.map_err(|error| match error {
                managed::PoolError::Backend(error) => error,
                error => Error::Unavailable(error.to_string().into()),
            })?;
            if opened_after.is_none_or(|earliest| object.opened_at > earliest) {
                return Ok(object);
            }
            drop(managed::Object::take(object));
        }
    }

    /// Closes the connections that returned while in use.
    pub(super) fn drop_in_use(&self) {
        self.pool.retain(|pooled, _| !pooled.in_use);
    }

    /// Closes all idle connections: when one connection broke, the others are probably broken too.
    pub(super) fn drop_idle(&self) {
        self.pool.retain(|_, _| false);
    }

    /// Counts a retry.
    pub(super) fn count_retry(&self, reason: &str) {
        self.metrics.db_repeats.with_label_values(&[reason]).inc();
    }

    /// The external pooler.
    pub(super) fn pooler(&self) -> Pooler {
        self.pooler
    }

    /// The connections by state.
    pub fn usage(&self) -> PoolUsage {
        let status = self.pool.status();
        PoolUsage {
            open: status.size,
            idle: status.available,
            waiting: status.waiting,
        }
    }

    /// Closes the pool. Callers that wait for a connection get an error.
    pub fn close(&self) {
        self.pool.close();
    }
}

/// Opens connections, and checks idle ones before they are used again.
pub(super) struct Connector {
    options: PgConnectOptions,
    takes_standby: bool,
}

impl Connector {
    /// Opens a connection. Unless a standby is allowed, a connection to one is an error: it may lag, and
    /// rows that it lacks would look lost. One check per connection suffices, because a primary ends its
    /// sessions before it becomes a standby.
    async fn connect(&self) -> Result<PgConnection, sqlx::Error> {
        let mut connection = PgConnection::connect_with(&self.options).await?;
        if self.takes_standby {
            return Ok(connection);
        }
        let is_standby: bool = sqlx::raw_sql("select pg_is_in_recovery()")
            .fetch_one(&mut connection)
            .await?
            .try_get(0)?;
        if is_standby {
            return Err(sqlx::Error::Configuration(STANDBY.into()));
        }
        Ok(connection)
    }
}

/// A connection and its health.
pub(super) struct PooledConnection {
    pub connection: PgConnection,
    /// Set while work uses the connection, and still set if the work was cancelled.
    pub in_use: bool,
    opened_at: Instant,
    checked_at: Instant,
}

impl managed::Manager for Connector {
    type Type = PooledConnection;
    type Error = Error;

    async fn create(&self) -> Result<PooledConnection, Error> {
        // The start of opening: an outage during it may have broken this connection too.
        let opened_at = Instant::now();
        let connection = self
            .connect()
            .await
            .map_err(|error| Error::Unavailable(error.into()))?;
        Ok(PooledConnection {
            connection,
            opened_at,
            checked_at: Instant::now(),
            in_use: false,
        })
    }

    async fn recycle(
        &self,
        pooled: &mut PooledConnection,
        _: &managed::Metrics,
    ) -> RecycleResult<Error> {
        if pooled.in_use {
            return Err(RecycleError::message("returned while in use"));
        }
        if pooled.checked_at.elapsed() > PING_AFTER {
            tokio::time::timeout(PING_TIMEOUT, pooled.connection.ping())
                .await
                .map_err(|_| RecycleError::message("no answer to a ping"))?
                .map_err(Error::from)?;
        }
        pooled.checked_at = Instant::now();
        Ok(())
    }
}
