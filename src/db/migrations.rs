//! The migration runner: brings the tables up to date while the service works on them.
//!
//! It reads sqlx's migration files and keeps sqlx's table `_sqlx_migrations`, but applies the files in its
//! own way, because sqlx waits for locks without a limit:
//!
//! - A statement that waits longer than [`MigrationPolicy::lock_timeout`] for its lock fails, and is retried
//!   with exponential backoff. A waiting `ALTER TABLE` makes every later query on the table queue behind it.
//! - The first lines of a file choose how it runs: see [`Mode`].
//! - Concurrent migrators poll `pg_try_advisory_lock`. They never wait inside a statement, because
//!   `create index concurrently` waits for all statements that are older than itself.
//!
//! The runner needs a session of its own: it connects to PostgreSQL directly, never through a transaction
//! pooler.

use std::time::Duration;

use sqlx::migrate::{Migrate as _, Migration, Migrator};
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection as _, PgConnection};

mod apply;
mod error;
mod lock;
mod progress;
mod script;
mod status;

pub use error::MigrationError;
pub use progress::MigrationProgress;
pub use script::Mode;
pub use status::{MigrationState, MigrationStatus, check_migrated, status};

/// The migrations in `migrations/`, compiled into the binary.
pub static MIGRATIONS: Migrator = sqlx::migrate!();

/// Table of applied migrations. Its format belongs to sqlx.
const TABLE: &str = "_sqlx_migrations";

/// Time limits of the migration runner.
#[derive(Clone, Copy, Debug)]
pub struct MigrationPolicy {
    /// How long a statement may wait for a lock, and therefore block the queries that queue behind it.
    pub lock_timeout: Duration,
    /// The pause after the first failed attempt. It doubles with each further one.
    pub first_pause: Duration,
    /// The longest pause between two attempts.
    pub longest_pause: Duration,
    /// How long the runner tries to get the locks of one statement, or of another migrator.
    pub patience: Duration,
}

impl Default for MigrationPolicy {
    fn default() -> Self {
        Self {
            lock_timeout: Duration::from_millis(300),
            first_pause: Duration::from_millis(200),
            longest_pause: Duration::from_secs(5),
            patience: Duration::from_secs(600),
        }
    }
}

/// What a run found and did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MigrationSummary {
    /// Versions that this run applied, in order.
    pub applied: Vec<i64>,
    /// Applied migrations that this binary knows.
    pub known: usize,
    /// The latest applied version, if a newer release than this one has migrated the database.
    pub newer: Option<i64>,
}

/// Applies the pending migrations in order, and reports progress. Applied migrations that are newer than
/// all of `migrations` are left alone, so that an older release can run beside a newer one.
pub async fn migrate(
    options: &PgConnectOptions,
    migrations: &Migrator,
    policy: MigrationPolicy,
    report: &mut (dyn FnMut(MigrationProgress<'_>) + Send),
) -> Result<MigrationSummary, MigrationError> {
    let mut conn = PgConnection::connect_with(options)
        .await
        .map_err(MigrationError::Connect)?;
    lock::acquire(&mut conn, policy, report).await?;
    let result = apply_pending(&mut conn, migrations, policy, report).await;
    // A broken connection has released the lock already.
    let _ = conn.unlock().await;
    let _ = conn.close().await;
    result
}

async fn apply_pending(
    conn: &mut PgConnection,
    migrations: &Migrator,
    policy: MigrationPolicy,
    report: &mut (dyn FnMut(MigrationProgress<'_>) + Send),
) -> Result<MigrationSummary, MigrationError> {
    conn.ensure_migrations_table(TABLE).await?;
    let before = status(conn, migrations).await?;
    let pending = pending(&before)?;
    let mut summary = MigrationSummary {
        known: migrations.iter().count(),
        newer: newer(&before),
        ..MigrationSummary::default()
    };
    for version in pending {
        if let Some(migration) = find(migrations, version) {
            apply::apply(conn, migration, policy, report).await?;
            summary.applied.push(version);
        }
    }
    Ok(summary)
}

/// The versions that would be applied. Fails if an applied migration has changed or is missing here.
pub fn pending(statuses: &[MigrationStatus]) -> Result<Vec<i64>, MigrationError> {
    let mut pending = Vec::new();
    for migration in statuses {
        let version = migration.version;
        match migration.state {
            MigrationState::Applied | MigrationState::Newer => {}
            MigrationState::Pending => pending.push(version),
            MigrationState::Changed => {
                let description = migration.description.clone();
                return Err(MigrationError::Changed {
                    version,
                    description,
                });
            }
            MigrationState::Missing => return Err(MigrationError::Missing { version }),
            MigrationState::Unfinished => return Err(MigrationError::Unfinished { version }),
        }
    }
    Ok(pending)
}

/// The latest applied version that only a newer release knows.
pub fn newer(statuses: &[MigrationStatus]) -> Option<i64> {
    let newer = statuses
        .iter()
        .filter(|migration| migration.state == MigrationState::Newer);
    newer.map(|migration| migration.version).max()
}

/// The migration of a version.
pub fn find(migrations: &Migrator, version: i64) -> Option<&Migration> {
    migrations
        .iter()
        .find(|migration| migration.version == version)
}
