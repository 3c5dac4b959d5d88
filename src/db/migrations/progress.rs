//! What the migration runner reports.

use std::fmt;
use std::time::Duration;

/// An event of a run, in the order in which they happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MigrationProgress<'a> {
    /// Another migrator holds the lock. Reported once.
    WaitingForMigrator,
    /// A migration begins.
    Started {
        /// Its version.
        version: i64,
        /// Its description.
        description: &'a str,
    },
    /// A statement did not get its lock, and is retried after a pause.
    Retrying {
        /// The version of the migration.
        version: i64,
        /// The time until the next attempt.
        pause: Duration,
    },
    /// An invalid index, left by a failed build, is dropped before it is built again.
    DroppingIndex(&'a str),
    /// A batch of a backfill has been committed.
    Batch {
        /// The version of the migration.
        version: i64,
        /// Batches that this run has committed.
        batches: u64,
        /// Rows that this run has changed.
        rows: u64,
    },
    /// A migration is complete and recorded.
    Applied {
        /// Its version.
        version: i64,
        /// How long it took.
        took: Duration,
    },
}

impl fmt::Display for MigrationProgress<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WaitingForMigrator => f.write_str("waiting for another migrator"),
            Self::Started {
                version,
                description,
            } => write!(f, "{version:04} {description}"),
            Self::Retrying { version, pause } => write!(
                f,
                "{version:04} waits for a lock, next attempt in {:.1} s",
                pause.as_secs_f64()
            ),
            Self::DroppingIndex(name) => write!(f, "drops the invalid index {name}"),
            Self::Batch {
                version,
                batches,
                rows,
            } => write!(f, "{version:04} {rows} rows in {batches} batches"),
            Self::Applied { version, took } => {
                write!(f, "{version:04} applied in {:.1} s", took.as_secs_f64())
            }
        }
    }
}
