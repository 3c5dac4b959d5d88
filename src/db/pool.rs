//! A bounded pool of connections that costs nothing to use: no ping when a connection is taken or
//! given back, unless it lay idle for long. It is used by `run!` alone.
//!
//! sqlx's own pool pings at every release, which measures as dear as a short query itself; hence
//! deadpool around sqlx's connections.

use std::sync::Arc;
use std::time::{Duration, Instant};

use deadpool::managed::{self, RecycleError, RecycleResult};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions, Connection as _, Row as _};

use crate::metrics::Metrics;

use super::Error;

/// After how much time without use a connection is asked whether it still lives.
const TRUSTED_FOR: Duration = Duration::from_secs(30);
/// How long it may take to answer.
const PING_TIMEOUT: Duration = Duration::from_secs(1);
/// From when on a statement is logged as slow.
const SLOW_STATEMENT: Duration = Duration::from_secs(1);

/// Why a connection to a standby is of no use.
const STANDBY: &str = "the server is a standby, which only reads";

/// How the pool is sized, and what it is connected to.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How many connections at most.
    pub max_connections: usize,
    /// How long to wait for one, and for one to be made.
    pub acquire_timeout: Duration,
    /// Who stands between the pool and the database.
    pub pooler: Pooler,
    /// Whether a server will do that only reads.
    pub takes_standby: bool,
}

/// Who stands between the pool and the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pooler {
    /// Nobody, or one that keeps to one server connection for as long as the client stays.
    None,
    /// One that may change the server connection after each transaction, as PgBouncer does in
    /// transaction mode. Work is done in a transaction, and nothing stays prepared after it.
    Transaction,
}

/// Where connections come from. Cheap to clone.
#[derive(Clone)]
pub struct Database {
    pool: managed::Pool<Connector>,
    pooler: Pooler,
    metrics: Arc<Metrics>,
}

/// How much of the pool is in use.
#[derive(Clone, Copy, Debug)]
pub struct Usage {
    /// Connections that are open.
    pub open: usize,
    /// Connections that are open and wait for work.
    pub idle: usize,
    /// Callers that wait for a connection.
    pub waiting: usize,
}

impl Database {
    /// A pool that connects when the first connection is asked for.
    pub fn new(
        options: PgConnectOptions,
        limits: Limits,
        metrics: Arc<Metrics>,
    ) -> Result<Self, managed::BuildError> {
        let options = options
            .log_statements(tracing::log::LevelFilter::Off)
            .log_slow_statements(tracing::log::LevelFilter::Warn, SLOW_STATEMENT)
            // Results are binary, so it changes nothing; PgBouncer would refuse it.
            .extra_float_digits(None);
        let takes_standby = limits.takes_standby;
        let pool = managed::Pool::builder(Connector {
            options,
            takes_standby,
        })
        .max_size(limits.max_connections)
        .wait_timeout(Some(limits.acquire_timeout))
        .create_timeout(Some(limits.acquire_timeout))
        .runtime(deadpool::Runtime::Tokio1)
        .build()?;
        Ok(Self {
            pool,
            pooler: limits.pooler,
            metrics,
        })
    }

    /// Takes a connection; an older one than that is closed and passed over.
    pub(super) async fn take(
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

    /// Takes out of the pool what came back in the middle of its work.
    pub(super) fn drop_unfinished(&self) {
        self.pool.retain(|pooled, _| !pooled.at_work);
    }

    /// Takes everything out of the pool that is not at work: where one connection broke, the others
    /// may be as dead.
    pub(super) fn drop_idle(&self) {
        self.pool.retain(|_, _| false);
    }

    /// Counts work that is done again.
    pub(super) fn count_repeat(&self, reason: &str) {
        self.metrics.db_repeats.with_label_values(&[reason]).inc();
    }

    /// Who stands between the pool and the database.
    pub(super) fn pooler(&self) -> Pooler {
        self.pooler
    }

    /// How much of the pool is in use.
    pub fn usage(&self) -> Usage {
        let status = self.pool.status();
        Usage {
            open: status.size,
            idle: status.available,
            waiting: status.waiting,
        }
    }

    /// Closes the pool; whoever waits for a connection is turned away.
    pub fn close(&self) {
        self.pool.close();
    }
}

/// Opens connections, to a server that writes unless a standby will do, and vouches for idle ones.
pub(super) struct Connector {
    options: PgConnectOptions,
    takes_standby: bool,
}

impl Connector {
    /// Opens a connection. A standby is refused before it is asked anything else: it may lag behind, and
    /// what it does not show so far would look lost. Once is enough, since a primary does not become
    /// one without ending its sessions.
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

/// A connection and what is known of its health.
pub(super) struct Pooled {
    pub connection: PgConnection,
    /// Whether somebody works with it, or has left it in the middle.
    pub at_work: bool,
    opened_at: Instant,
    trusted_at: Instant,
}

impl managed::Manager for Connector {
    type Type = Pooled;
    type Error = Error;

    async fn create(&self) -> Result<Pooled, Error> {
        // Before it is: what broke while it was being opened may have broken it too.
        let opened_at = Instant::now();
        let connection = self
            .connect()
            .await
            .map_err(|error| Error::Unavailable(error.into()))?;
        Ok(Pooled {
            connection,
            opened_at,
            trusted_at: Instant::now(),
            at_work: false,
        })
    }

    async fn recycle(&self, pooled: &mut Pooled, _: &managed::Metrics) -> RecycleResult<Error> {
        if pooled.at_work {
            return Err(RecycleError::message("left in the middle of its work"));
        }
        if pooled.trusted_at.elapsed() > TRUSTED_FOR {
            tokio::time::timeout(PING_TIMEOUT, pooled.connection.ping())
                .await
                .map_err(|_| RecycleError::message("no answer to a ping"))?
                .map_err(Error::from)?;
        }
        pooled.trusted_at = Instant::now();
        Ok(())
    }
}
