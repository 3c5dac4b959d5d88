//! What can go wrong with the database, sorted by what the caller can do about it.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counts broken connections. Pools compare it with what they last saw, and ping before they hand
/// out a connection that was idle while another one broke.
static BROKEN_CONNECTIONS: AtomicU64 = AtomicU64::new(0);

/// Why the database did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It is away, overloaded or restarting. Nothing is known about a write that was under way.
    #[error("the database is not available")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// It gave up in favour of another transaction; the same may be tried again at once.
    #[error("the database preferred another transaction")]
    Conflict(#[source] sqlx::Error),
    /// The tables are not those that this program was made for.
    #[error("the tables are not up to date: run 'order-service migrate'")]
    NotMigrated,
    /// A row holds what this version of the program cannot read.
    #[error("column {column} of order {order_id} holds an unknown value")]
    Unreadable {
        /// Which column.
        column: &'static str,
        /// Of which order.
        order_id: i64,
    },
    /// Everything else: a fault of ours.
    #[error("the database refused a statement")]
    Refused(#[source] sqlx::Error),
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        use sqlx::Error as E;
        match &error {
            E::Io(_)
            | E::Tls(_)
            | E::Protocol(_)
            | E::WorkerCrashed
            | E::PoolTimedOut
            | E::PoolClosed => {
                note_broken_connection();
                Self::Unavailable(error.into())
            }
            E::Database(cause) => match cause.code().as_deref() {
                Some("40001" | "40P01") => Self::Conflict(error),
                // Shutdown, crash, connection limits, out of disk or memory, read-only standby.
                Some(code)
                    if code.starts_with("57P")
                        || code.starts_with("08")
                        || code.starts_with("53")
                        || code == "25006" =>
                {
                    note_broken_connection();
                    Self::Unavailable(error.into())
                }
                _ => Self::Refused(error),
            },
            _ => Self::Refused(error),
        }
    }
}

pub(super) fn note_broken_connection() {
    BROKEN_CONNECTIONS.fetch_add(1, Ordering::Relaxed);
}

/// How many connections broke so far.
pub(super) fn broken_connections() -> u64 {
    BROKEN_CONNECTIONS.load(Ordering::Relaxed)
}
