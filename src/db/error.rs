//! What can go wrong with the database, sorted by what the caller can do about it.

/// Why the database did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It is away, overloaded or restarting. It has not done what was asked.
    #[error("the database is not available")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The connection broke or is of no use, or time ran out: nothing is known about a write that
    /// was under way.
    #[error("the connection to the database was lost")]
    Lost(#[source] Box<dyn std::error::Error + Send + Sync>),
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

impl Error {
    /// Whether it is the database's trouble, which passes, and no fault of ours.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unavailable(_) | Self::Lost(_) | Self::Conflict(_) | Self::NotMigrated => true,
            Self::Unreadable { .. } | Self::Refused(_) => false,
        }
    }

    /// The same once more, for somebody else who waited for it too.
    pub(super) fn told_again(&self) -> Self {
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
            E::Database(cause) => match cause.code().as_deref().map(Trouble::of) {
                Some(Trouble::Conflict) => Self::Conflict(error),
                Some(Trouble::Lost) => Self::Lost(error.into()),
                Some(Trouble::Unavailable) => Self::Unavailable(error.into()),
                Some(Trouble::Fault) | None => Self::Refused(error),
            },
            _ => Self::Refused(error),
        }
    }
}

/// What an SQLSTATE says of the database's state.
#[derive(Debug, PartialEq, Eq)]
enum Trouble {
    Conflict,
    Lost,
    Unavailable,
    Fault,
}

impl Trouble {
    fn of(code: &str) -> Self {
        match code {
            // Serialization failure, deadlock, a lock that cannot be had in time.
            "40001" | "40P01" | "55P03" => Self::Conflict,
            // Read-only after a failover; what was prepared is gone, or is somebody else's, behind
            // a pooler. Another connection may lead further.
            "25006" | "26000" | "42P05" => Self::Lost,
            // The server said no before it began, or took back what it had begun: starting up, too
            // many connections, out of disk or memory, cancelled by an administrator, a faulty disk.
            "57P03" | "57014" => Self::Unavailable,
            _ if code.starts_with("53") || code.starts_with("58") => Self::Unavailable,
            // The session ended, perhaps after the commit: shutdown, crash, database dropped,
            // idle for too long, a pooler without its server; or the outcome is told to be unknown.
            "40003" => Self::Lost,
            _ if code.starts_with("57P") || code.starts_with("08") => Self::Lost,
            _ => Self::Fault,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Trouble::{self, Conflict, Fault, Lost, Unavailable};

    #[test]
    fn sqlstates_are_classified_by_the_fate_of_the_statement() {
        for (trouble, codes) in [
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
                Fault,
                &["23505", "23514", "42P01", "22003", "40002", "42501"],
            ),
        ] {
            for code in codes {
                assert_eq!(Trouble::of(code), trouble, "{code}");
            }
        }
    }
}
