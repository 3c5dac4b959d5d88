//! The errors of a generation.

/// Why a generation failed. The database is unchanged.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database has orders, and the options do not allow adding to them.
    #[error("the database has orders already; --add makes more beside them")]
    NotEmpty,
    /// A database error.
    #[error("the database refused it")]
    Database(#[from] sqlx::Error),
    /// The task that generates rows panicked or was cancelled.
    #[error("the rows were not made")]
    Interrupted(#[source] tokio::task::JoinError),
}
