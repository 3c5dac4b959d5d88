//! A bounded pool of connections that costs nothing to use: no ping when a connection is taken or
//! given back, unless it lay idle for long or another connection broke in the meantime.
//!
//! sqlx's own pool pings at every release, which measures as dear as a short query itself; hence
//! deadpool around sqlx's connections.

use std::ops::{Deref, DerefMut};
use std::time::{Duration, Instant};

use deadpool::managed::{self, RecycleError, RecycleResult};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions, Connection as _};

use super::Error;
use super::error::{broken_connections, note_broken_connection};

/// After how much time without use a connection is asked whether it still lives.
const TRUSTED_FOR: Duration = Duration::from_secs(30);
/// How long it may take to answer.
const PING_TIMEOUT: Duration = Duration::from_secs(1);
/// How long a statement may take, with the wait for its connection.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(10);
/// From when on a statement is logged as slow.
const SLOW_STATEMENT: Duration = Duration::from_secs(1);

/// How the pool is sized.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How many connections at most.
    pub max_connections: usize,
    /// How long to wait for one, and for one to be made.
    pub acquire_timeout: Duration,
}

/// Where connections come from. Cheap to clone.
#[derive(Clone)]
pub struct Database {
    pool: managed::Pool<Connector>,
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
    pub fn new(options: PgConnectOptions, limits: Limits) -> Result<Self, managed::BuildError> {
        let options = options
            .log_statements(tracing::log::LevelFilter::Off)
            .log_slow_statements(tracing::log::LevelFilter::Warn, SLOW_STATEMENT);
        let pool = managed::Pool::builder(Connector { options })
            .max_size(limits.max_connections)
            .wait_timeout(Some(limits.acquire_timeout))
            .create_timeout(Some(limits.acquire_timeout))
            .runtime(deadpool::Runtime::Tokio1)
            .build()?;
        Ok(Self { pool })
    }

    /// Takes a connection; it goes back when it is dropped.
    pub async fn acquire(&self) -> Result<Connection, Error> {
        match self.pool.get().await {
            Ok(object) => Ok(Connection { object }),
            Err(managed::PoolError::Backend(error)) => Err(Error::Unavailable(error.into())),
            Err(error) => Err(Error::Unavailable(error.to_string().into())),
        }
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

/// Gives a statement, and the wait for its connection, a time limit. Past it the database counts as
/// away, and connections are asked whether they live before they are used again.
pub async fn within<T>(work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    tokio::time::timeout(STATEMENT_TIMEOUT, work)
        .await
        .unwrap_or_else(|elapsed| {
            note_broken_connection();
            Err(Error::Unavailable(elapsed.into()))
        })
}

/// A connection on loan from the pool.
pub struct Connection {
    object: managed::Object<Connector>,
}

impl Deref for Connection {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.object.connection
    }
}

impl DerefMut for Connection {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.object.connection
    }
}

/// Opens connections and vouches for idle ones.
struct Connector {
    options: PgConnectOptions,
}

/// A connection and what is known of its health.
struct Pooled {
    connection: PgConnection,
    trusted_at: Instant,
    broken_seen: u64,
}

impl managed::Manager for Connector {
    type Type = Pooled;
    type Error = sqlx::Error;

    async fn create(&self) -> Result<Pooled, sqlx::Error> {
        let connection = PgConnection::connect_with(&self.options).await?;
        Ok(Pooled {
            connection,
            trusted_at: Instant::now(),
            broken_seen: broken_connections(),
        })
    }

    async fn recycle(
        &self,
        pooled: &mut Pooled,
        _: &managed::Metrics,
    ) -> RecycleResult<sqlx::Error> {
        let broken = broken_connections();
        if pooled.connection.is_in_transaction() {
            return Err(RecycleError::message("left in a transaction"));
        }
        if pooled.broken_seen != broken || pooled.trusted_at.elapsed() > TRUSTED_FOR {
            tokio::time::timeout(PING_TIMEOUT, pooled.connection.ping())
                .await
                .map_err(|_| RecycleError::message("no answer to a ping"))??;
            pooled.broken_seen = broken;
        }
        pooled.trusted_at = Instant::now();
        Ok(())
    }
}
