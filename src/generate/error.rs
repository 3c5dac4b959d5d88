//! The errors of a generation.

/// Why a generation failed. The database is unchanged.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database has orders, and the options do not allow adding to them.
    #[error("the database already has orders; use --add to keep them")]
    NotEmpty,
    /// A database error.
    #[error("the database refused the generated rows")]
    Database(#[from] sqlx::Error),
    /// The task that generates rows panicked or was cancelled.
    #[error("generating the rows was interrupted")]
    Interrupted(#[source] tokio::task::JoinError),
}
