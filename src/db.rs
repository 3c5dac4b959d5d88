//! The adapter to PostgreSQL: plain functions over a connection, one statement each. A statement is
//! its own transaction, so that nothing stays open while a peer is called and a transaction pooler
//! may stand in between. `run!` brings functions and connections together.

mod change;
pub mod error;
pub mod events;
pub mod histories;
pub mod idempotency;
pub mod optimistic;
pub mod order_list;
pub mod order_reads;
pub mod orders;
pub mod periodic_tasks;
pub mod pool;
pub mod replica;
mod rows;
pub mod run;
pub mod sagas;
mod together;

pub use error::Error;
pub use order_reads::OrderReads;
pub use pool::{Database, Limits};
pub use replica::Replica;
pub(crate) use run::run;

/// The migrations in `migrations/`, part of the binary.
pub static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!();

/// Whether every migration of this program has been applied; an error when the answer is no.
pub async fn check_migrated(conn: &mut sqlx::PgConnection) -> Result<(), Error> {
    let latest = MIGRATIONS
        .iter()
        .map(|migration| migration.version)
        .max()
        .unwrap_or_default();
    // Not a checked macro: the table is sqlx's own, and may be missing.
    let applied: bool = sqlx::query_scalar(
        "select exists (select from _sqlx_migrations where version = $1 and success)",
    )
    .bind(latest)
    .fetch_one(conn)
    .await
    .or_else(
        |error| match error.as_database_error().and_then(|cause| cause.code()) {
            Some(code) if code == "42P01" => Ok(false),
            _ => Err(error),
        },
    )?;
    if applied {
        Ok(())
    } else {
        Err(Error::NotMigrated)
    }
}
