//! Errors of the database, sorted by what the caller can do about them.

/// An error of the database. Each variant states what is known about the outcome of the statement.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database is unreachable, overloaded or restarting. Nothing was written; a retry is safe.
    #[error("the database is not available")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The connection was lost or is unusable, or the time limit has passed. The outcome is unknown: a write
    /// may have been committed.
    #[error("the connection to the database was lost")]
    Lost(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A conflict with another transaction: a serialization failure, a deadlock or a lock timeout. The
    /// transaction was rolled back; a retry is safe.
    #[error("the transaction conflicted with another one")]
    Conflict(#[source] sqlx::Error),
    /// The schema is older than this program requires. Nothing was written.
    #[error("the tables are not up to date: run 'order-service migrate'")]
    NotMigrated,
    /// A row holds a value that this release does not know. A write of the same statement may be committed.
    #[error("column {column} of order {order_id} holds an unknown value")]
    Unreadable {
        /// The column.
        column: &'static str,
        /// The order.
        order_id: i64,
    },
    /// Any other error, which is a defect of this service. A statement that the database
    /// refused was rolled back.
    #[error("the database refused a statement")]
    Refused(#[source] sqlx::Error),
}

impl Error {
    /// Whether the error is transient, rather than a defect of this service.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unavailable(_) | Self::Lost(_) | Self::Conflict(_) | Self::NotMigrated => true,
            Self::Unreadable { .. } | Self::Refused(_) => false,
        }
    }

    /// A copy of the error, for another caller of the same statement.
    pub(super) fn duplicate(&self) -> Self {
        match self {
            Self::Unavailable(cause) => Self::Unavailable(cause.to_string().into()),
            Self::Lost(cause) => Self::Lost(cause.to_string().into()),
            Self::Conflict(cause) => Self::Conflict(sqlx::Error::Protocol(cause.to_string())),
            Self::NotMigrated => Self::NotMigrated,
            &Self::Unreadable { column, order_id } => Self::Unreadable { column, order_id },
            Self::Refused(cause) => Self::Refused(sqlx::Error::Protocol(cause.to_string())),
        }
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        use sqlx::Error as E;
        match &error {
            E::Io(_) | E::Tls(_) | E::Protocol(_) | E::WorkerCrashed => Self::Lost(error.into()),
            E::Database(cause) => match cause.code().as_deref().map(SqlState::of) {
                Some(SqlState::Conflict) => Self::Conflict(error),
                Some(SqlState::Lost) => Self::Lost(error.into()),
                Some(SqlState::Unavailable) => Self::Unavailable(error.into()),
                Some(SqlState::Defect) | None => Self::Refused(error),
            },
            _ => Self::Refused(error),
        }
    }
}

/// The meaning of an SQLSTATE code.
#[derive(Debug, PartialEq, Eq)]
enum SqlState {
    Conflict,
    Lost,
    Unavailable,
    Defect,
}

impl SqlState {
    fn of(code: &str) -> Self {
        match code {
            // Serialization failure, deadlock, lock timeout.
            "40001" | "40P01" | "55P03" => Self::Conflict,
            // Read-only after a failover; a prepared statement is missing or belongs to another client
            // behind a pooler. Another connection may work.
            "25006" | "26000" | "42P05" => Self::Lost,
            // The server did not start the statement, or rolled it back: starting up, too many
            // connections, out of disk or memory, cancelled by an administrator, a disk error.
            "57P03" | "57014" => Self::Unavailable,
            _ if code.starts_with("53") || code.starts_with("58") => Self::Unavailable,
            // The session ended, perhaps after the commit: shutdown, crash, database dropped, idle
            // timeout, a pooler without its server; or the server reports an unknown outcome.
            "40003" => Self::Lost,
            _ if code.starts_with("57P") || code.starts_with("08") => Self::Lost,
            _ => Self::Defect,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::SqlState::{self, Conflict, Defect, Lost, Unavailable};

    #[test]
    fn sqlstates_are_classified_by_the_fate_of_the_statement() {
        for (state, codes) in [
            (Conflict, &["40001", "40P01", "55P03"][..]),
            (
                Lost,
                &[
                    "57P01", "57P02", "57P05", "08006", "08P01", "25006", "26000", "40003",
                ],
            ),
            (
                Unavailable,
                &["57P03", "53300", "53100", "53200", "57014", "58030"],
            ),
            (
                Defect,
                &["23505", "23514", "42P01", "22003", "40002", "42501"],
            ),
        ] {
            for code in codes {
                assert_eq!(SqlState::of(code), state, "{code}");
            }
        }
    }
}
