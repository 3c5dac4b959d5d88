//! Mutual exclusion between migrators, and retries of statements that get no lock.

use std::time::{Duration, Instant};

use crc::{CRC_32_ISO_HDLC, Crc};
use sqlx::PgConnection;

use super::{MigrationError, MigrationPolicy, MigrationProgress};

/// How often a waiting migrator asks for the advisory lock.
const POLL_INTERVAL: Duration = Duration::from_millis(200);

/// SQLSTATE codes after which the same statement may succeed: `lock_not_available`, `deadlock_detected`
/// and `serialization_failure`.
const RETRIED: [&str; 3] = ["55P03", "40P01", "40001"];

/// Takes the advisory lock of sqlx's migrator, so that older releases take part. It polls: a migrator that
/// waited inside a statement would hold up, and be held up by, `create index concurrently`.
pub(super) async fn acquire(
    conn: &mut PgConnection,
    policy: MigrationPolicy,
    report: &mut (dyn FnMut(MigrationProgress<'_>) + Send),
) -> Result<(), MigrationError> {
    let name: String = sqlx::query_scalar("select current_database()")
        .fetch_one(&mut *conn)
        .await?;
    let id = lock_id(&name);
    let began = Instant::now();
    let mut is_reported = false;
    loop {
        let is_acquired: bool = sqlx::query_scalar("select pg_try_advisory_lock($1)")
            .bind(id)
            .fetch_one(&mut *conn)
            .await?;
        if is_acquired {
            return Ok(());
        }
        if began.elapsed() > policy.patience {
            return Err(MigrationError::Busy(began.elapsed()));
        }
        if !is_reported {
            report(MigrationProgress::WaitingForMigrator);
            is_reported = true;
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

/// The id that sqlx's migrator derives from the name of the database.
fn lock_id(database: &str) -> i64 {
    0x3d32_ad9e * i64::from(Crc::<u32>::new(&CRC_32_ISO_HDLC).checksum(database.as_bytes()))
}

/// Every so many attempts, one waits longer than PostgreSQL's `deadlock_timeout`.
const LONG_WAIT_EVERY: u32 = 5;

/// The attempts at one statement or transaction.
pub(super) struct LockRetries {
    version: i64,
    policy: MigrationPolicy,
    /// The time spent in waits for locks and in pauses, without the work in between.
    waited: Duration,
    attempts: u32,
    pause: Duration,
}

impl LockRetries {
    pub(super) fn new(version: i64, policy: MigrationPolicy) -> Self {
        Self {
            version,
            policy,
            waited: Duration::ZERO,
            attempts: 0,
            pause: policy.first_pause,
        }
    }

    /// Pauses if the error passes; otherwise returns it. The pause has no lock request in the queue, so
    /// that the service works on the table meanwhile.
    pub(super) async fn after(
        &mut self,
        source: sqlx::Error,
        report: &mut (dyn FnMut(MigrationProgress<'_>) + Send),
    ) -> Result<(), MigrationError> {
        let version = self.version;
        let code = source.as_database_error().and_then(|cause| cause.code());
        if !code.is_some_and(|code| RETRIED.contains(&&*code)) {
            return Err(MigrationError::Failed { version, source });
        }
        self.attempts += 1;
        self.waited += self.policy.lock_timeout;
        let waited = self.waited;
        if waited > self.policy.patience {
            return Err(MigrationError::LockTimeout {
                version,
                waited,
                source,
            });
        }
        let pause = self.pause.mul_f64(rand::random_range(0.5..=1.0));
        self.pause = (self.pause * 2).min(self.policy.longest_pause);
        report(MigrationProgress::Retrying { version, pause });
        tokio::time::sleep(pause).await;
        self.waited += pause;
        Ok(())
    }

    /// How long the next attempt waits for a lock. PostgreSQL cancels an autovacuum that blocks a lock only
    /// after `deadlock_timeout`, so that a short wait alone would never get past one.
    pub(super) async fn lock_timeout(
        &self,
        conn: &mut PgConnection,
    ) -> Result<Duration, sqlx::Error> {
        if !self.attempts.is_multiple_of(LONG_WAIT_EVERY) {
            return Ok(self.policy.lock_timeout);
        }
        let deadlock_timeout_ms: i64 = sqlx::query_scalar(
            "select setting::bigint from pg_settings where name = 'deadlock_timeout'",
        )
        .fetch_one(conn)
        .await?;
        let deadlock_timeout = Duration::from_millis(deadlock_timeout_ms.unsigned_abs());
        Ok(deadlock_timeout + self.policy.lock_timeout)
    }
}
