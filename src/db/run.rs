//! How work with the database is done: with a connection on loan, within a time limit, and repeated
//! where the database was in trouble that may have passed.

use std::time::{Duration, Instant};

use deadpool::managed::Object;
use sqlx::postgres::PgConnection;

use super::pool::{Connector, Pooler};
use super::{Database, Error};

/// How long a piece of work may take, with the wait for its connection and all repeats.
const TIME_LIMIT: Duration = Duration::from_secs(10);
/// How often work is repeated that gave way to another transaction.
const CONFLICT_REPEATS: u32 = 5;
/// The longest pause before the first such repeat; it doubles with each further one.
const CONFLICT_PAUSE: Duration = Duration::from_millis(10);

/// Does work with a connection: `run!(database, |conn| find(conn, order_id)).await`. It is the only
/// way to one, so that nobody can forget the time limit, nor what is to be done when the database is
/// in trouble.
///
/// Work that gave way to another transaction has left no trace, and is repeated after a short pause.
/// Work whose connection was lost is repeated once, on a fresh connection; nobody knows whether it
/// was done before. Hence it has to be *fenced*: done again, it must change nothing more. Reads
/// are; a write is if it names what it expects, as a placement names its identity and others the
/// order's version or the claim's epoch.
///
/// A macro, because the future of a closure that borrows both its connection and its surroundings
/// cannot be shown to be `Send`.
macro_rules! run {
    ($database:expr, |$conn:ident| $work:expr) => {
        $database.limited(async {
            let mut attempts = $database.attempts();
            loop {
                let mut loan = attempts.begin().await?;
                let $conn = loan.connection();
                let result = $work.await;
                if let Some(result) = attempts.end(loan, result).await {
                    break result;
                }
            }
        })
    };
}

pub(crate) use run;

impl Database {
    /// Gives work its time limit. Use [`run!`].
    pub(crate) async fn limited<T>(
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

    /// The attempts at a piece of work. Use [`run!`].
    pub(crate) fn attempts(&self) -> Attempts<'_> {
        Attempts {
            database: self,
            conflicts: 0,
            lost_at: None,
        }
    }
}

/// The attempts at a piece of work.
pub struct Attempts<'a> {
    database: &'a Database,
    conflicts: u32,
    lost_at: Option<Instant>,
}

impl<'a> Attempts<'a> {
    /// Takes a connection for the next attempt.
    pub async fn begin(&mut self) -> Result<Loan<'a>, Error> {
        loop {
            let begun = Loan::begin(self.database, self.lost_at).await;
            if let Some(result) = self.judge(begun).await {
                return result;
            }
        }
    }

    /// Ends an attempt: gives its result, or nothing if there is to be another one.
    pub async fn end<T>(
        &mut self,
        loan: Loan<'a>,
        result: Result<T, Error>,
    ) -> Option<Result<T, Error>> {
        let result = loan.end(result).await;
        self.judge(result).await
    }

    async fn judge<T>(&mut self, result: Result<T, Error>) -> Option<Result<T, Error>> {
        match result {
            Err(Error::Conflict(_)) if self.conflicts < CONFLICT_REPEATS => {
                let longest = CONFLICT_PAUSE * 2_u32.pow(self.conflicts);
                self.conflicts += 1;
                self.database.count_repeat("conflict");
                tokio::time::sleep(longest.mul_f64(rand::random())).await;
                None
            }
            Err(Error::Lost(_)) if self.lost_at.is_none() => {
                self.lost_at = Some(Instant::now());
                self.database.count_repeat("lost");
                None
            }
            result => Some(result),
        }
    }
}

/// A connection on loan from the pool.
pub struct Loan<'a> {
    pooled: Object<Connector>,
    // Dropped after the connection, when that is back in the pool.
    leaving: Leaving<'a>,
}

impl<'a> Loan<'a> {
    async fn begin(database: &'a Database, opened_after: Option<Instant>) -> Result<Self, Error> {
        let leaving = Leaving {
            database,
            finished: false,
        };
        let mut pooled = database.take(opened_after).await?;
        pooled.at_work = true;
        let mut loan = Self { pooled, leaving };
        if database.pooler() == Pooler::Transaction {
            let begun = sqlx::raw_sql("begin").execute(loan.connection()).await;
            return match begun {
                Ok(_) => Ok(loan),
                Err(error) => loan.end(Err(error.into())).await,
            };
        }
        Ok(loan)
    }

    /// The connection itself.
    pub fn connection(&mut self) -> &mut PgConnection {
        &mut self.pooled.connection
    }

    async fn end<T>(mut self, mut result: Result<T, Error>) -> Result<T, Error> {
        let database = self.leaving.database;
        let is_lost = matches!(result, Err(Error::Lost(_)));
        if database.pooler() == Pooler::Transaction && !is_lost {
            let ended = end_transaction(self.connection(), result.is_ok()).await;
            result = ended.and(result);
        }
        if matches!(result, Err(Error::Lost(_))) {
            database.drop_idle();
        } else {
            self.pooled.at_work = false;
            self.leaving.finished = true;
        }
        result
    }
}

/// Closes what was prepared, so that the next transaction may meet another server connection, and
/// ends this one. Closing by the protocol, since PgBouncer keeps accounts of that, where it knows of
/// prepared statements at all.
async fn end_transaction(connection: &mut PgConnection, commits: bool) -> Result<(), Error> {
    use sqlx::Connection as _;
    connection.clear_cached_statements().await?;
    let end = if commits { "commit" } else { "rollback" };
    sqlx::raw_sql(end).execute(connection).await?;
    Ok(())
}

/// Sees to it that a connection is closed which came back in the middle of its work, because it
/// broke, the time was up or nobody waits any more: it may hold locks, and answers that nobody wants.
struct Leaving<'a> {
    database: &'a Database,
    finished: bool,
}

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        if !self.finished {
            self.database.drop_unfinished();
        }
    }
}
