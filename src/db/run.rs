//! Runs work with a connection of the pool, within a time limit. Retries it on a serialization failure, a
//! deadlock or a lost connection.

use std::time::{Duration, Instant};

use deadpool::managed::Object;
use sqlx::postgres::PgConnection;

use super::Error;
use super::pool::{ConnectionPool, Connector, Pooler};

/// The time limit of work, including the wait for a connection and all retries.
const TIME_LIMIT: Duration = Duration::from_secs(10);
/// The number of retries after conflicts with other transactions.
const MAX_CONFLICT_RETRIES: u32 = 5;
/// The longest pause before the first such retry; it doubles with each further one (full jitter).
const CONFLICT_BACKOFF: Duration = Duration::from_millis(10);

/// Runs work with a connection: `run!(pool, |conn| find(conn, order_id)).await`. This is the only way to a
/// connection, so that all work has the time limit and the retries.
///
/// After a conflict with another transaction, the database has rolled the work back; it is retried with
/// backoff. After a lost connection, it is unknown whether the work was committed; it is retried once, on a
/// new connection. Work must therefore be *idempotent*: reads are, and a write is when its statement names
/// what it expects: a placement its identity, other writes the order's version (optimistic concurrency) or
/// the lease's epoch (a fencing token).
///
/// A macro, because the compiler cannot prove `Send` for the future of a closure that borrows both its
/// connection and its environment.
macro_rules! run {
    ($pool:expr, |$conn:ident| $work:expr) => {
        $pool.with_time_limit(async {
            let mut attempts = $pool.attempts();
            loop {
                let mut acquired = attempts.begin().await?;
                let $conn = acquired.connection();
                let result = $work.await;
                if let Some(result) = attempts.end(acquired, result).await {
                    break result;
                }
            }
        })
    };
}

pub(crate) use run;

impl ConnectionPool {
    /// Runs work within the time limit. Use [`run!`].
    pub(crate) async fn with_time_limit<T>(
        &self,
        work: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        tokio::time::timeout(TIME_LIMIT, work)
            .await
            .unwrap_or_else(|elapsed| {
                self.drop_idle();
                Err(Error::Lost(elapsed.into()))
            })
    }

    /// Starts the attempts of one unit of work. Use [`run!`].
    pub(crate) fn attempts(&self) -> Attempts<'_> {
        Attempts {
            pool: self,
            conflicts: 0,
            lost_at: None,
        }
    }
}

/// The attempts of one unit of work.
pub struct Attempts<'a> {
    pool: &'a ConnectionPool,
    conflicts: u32,
    lost_at: Option<Instant>,
}

impl<'a> Attempts<'a> {
    /// Acquires a connection for the next attempt.
    pub async fn begin(&mut self) -> Result<AcquiredConnection<'a>, Error> {
        loop {
            let acquired = AcquiredConnection::acquire(self.pool, self.lost_at).await;
            if let Some(result) = self.unless_retried(acquired).await {
                return result;
            }
        }
    }

    /// Ends an attempt, and returns its result; `None` when the work is to be retried.
    pub async fn end<T>(
        &mut self,
        acquired: AcquiredConnection<'a>,
        result: Result<T, Error>,
    ) -> Option<Result<T, Error>> {
        let result = acquired.release(result).await;
        self.unless_retried(result).await
    }

    /// The result, unless its error allows another attempt. Waits for the backoff in that case.
    async fn unless_retried<T>(&mut self, result: Result<T, Error>) -> Option<Result<T, Error>> {
        match result {
            Err(Error::Conflict(_)) if self.conflicts < MAX_CONFLICT_RETRIES => {
                let longest = CONFLICT_BACKOFF * 2_u32.pow(self.conflicts);
                self.conflicts += 1;
                self.pool.count_retry("conflict");
                tokio::time::sleep(longest.mul_f64(rand::random())).await;
                None
            }
            Err(Error::Lost(_)) if self.lost_at.is_none() => {
                self.lost_at = Some(Instant::now());
                self.pool.count_retry("lost");
                None
            }
            result => Some(result),
        }
    }
}

/// A connection acquired from the pool.
pub struct AcquiredConnection<'a> {
    pooled: Object<Connector>,
    // Dropped last, after the connection has returned to the pool.
    guard: ReleaseGuard<'a>,
}

impl<'a> AcquiredConnection<'a> {
    async fn acquire(
        pool: &'a ConnectionPool,
        opened_after: Option<Instant>,
    ) -> Result<Self, Error> {
        let guard = ReleaseGuard {
            pool,
            is_released: false,
        };
        let mut pooled = pool.acquire(opened_after).await?;
        pooled.in_use = true;
        let mut acquired = Self { pooled, guard };
        if pool.pooler() == Pooler::Transaction {
            let begun = sqlx::raw_sql("begin").execute(acquired.connection()).await;
            return match begun {
                Ok(_) => Ok(acquired),
                Err(error) => acquired.release(Err(error.into())).await,
            };
        }
        Ok(acquired)
    }

    /// The connection, for statements within this unit of work.
    pub fn connection(&mut self) -> &mut PgConnection {
        &mut self.pooled.connection
    }

    async fn release<T>(mut self, mut result: Result<T, Error>) -> Result<T, Error> {
        let pool = self.guard.pool;
        let is_lost = matches!(result, Err(Error::Lost(_)));
        if pool.pooler() == Pooler::Transaction && !is_lost {
            let ended = end_transaction(self.connection(), result.is_ok()).await;
            result = ended.and(result);
        }
        if matches!(result, Err(Error::Lost(_))) {
            pool.drop_idle();
        } else {
            self.pooled.in_use = false;
            self.guard.is_released = true;
        }
        result
    }
}

/// Ends the transaction, and first closes the prepared statements, because the next transaction may use
/// another server connection. The protocol's close message is used, because PgBouncer tracks it.
async fn end_transaction(connection: &mut PgConnection, commits: bool) -> Result<(), Error> {
    use sqlx::Connection as _;
    connection.clear_cached_statements().await?;
    let end = if commits { "commit" } else { "rollback" };
    sqlx::raw_sql(end).execute(connection).await?;
    Ok(())
}

/// Closes a connection that returns to the pool without a release, because it broke, the time was up or the
/// work was cancelled: it may hold locks and unread results.
struct ReleaseGuard<'a> {
    pool: &'a ConnectionPool,
    is_released: bool,
}

impl Drop for ReleaseGuard<'_> {
    fn drop(&mut self) {
        if !self.is_released {
            self.pool.drop_in_use();
        }
    }
}
