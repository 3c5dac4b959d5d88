//! Why migrations were not applied.

use std::time::Duration;

use sqlx::migrate::MigrateError;

/// Why migrations were not applied.
#[derive(Debug, thiserror::Error)]
pub enum MigrationError {
    /// The database cannot be reached.
    #[error("cannot connect to the database")]
    Connect(#[source] sqlx::Error),
    /// Another migrator held the lock all the time.
    #[error("another migrator has been at work for {}: wait until it has finished", seconds(*.0))]
    Busy(Duration),
    /// A long transaction kept a statement from its locks.
    #[error(
        "migration {version} got no lock on its tables within {}: find the open transaction in pg_stat_activity", seconds(*.waited)
    )]
    LockTimeout {
        /// The version of the migration.
        version: i64,
        /// For how long it was tried.
        waited: Duration,
        /// The answer to the last attempt.
        #[source]
        source: sqlx::Error,
    },
    /// A statement failed.
    #[error("migration {version} failed")]
    Failed {
        /// The version of the migration.
        version: i64,
        /// The error of PostgreSQL.
        #[source]
        source: sqlx::Error,
    },
    /// The file of an applied migration differs from what was applied.
    #[error(
        "migration {version} ({description}) was changed after it was applied: its checksum differs"
    )]
    Changed {
        /// The version of the migration.
        version: i64,
        /// Its description in the database.
        description: String,
    },
    /// An applied migration is unknown to this binary, which knows later ones.
    #[error("migration {version} was applied to the database, but is not part of this program")]
    Missing {
        /// The version of the migration.
        version: i64,
    },
    /// A row says that a migration did not succeed.
    #[error("migration {version} is marked as unfinished in _sqlx_migrations")]
    Unfinished {
        /// The version of the migration.
        version: i64,
    },
    /// The state of the migrations cannot be read or written.
    #[error("cannot read or write the applied migrations")]
    Database(#[from] sqlx::Error),
}

fn seconds(duration: Duration) -> String {
    format!("{} s", duration.as_secs())
}

impl From<MigrateError> for MigrationError {
    fn from(error: MigrateError) -> Self {
        match error {
            MigrateError::ExecuteMigration(source, version) => Self::Failed { version, source },
            error => Self::Database(cause(error)),
        }
    }
}

/// The error of the database in an error of sqlx's runner.
pub(super) fn cause(error: MigrateError) -> sqlx::Error {
    match error {
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => error,
        error => sqlx::Error::Migrate(Box::new(error)),
    }
}
