//! The adapter to PostgreSQL: plain functions over a connection, one statement each. A statement is
//! its own transaction, so that nothing stays open while a peer is called and a transaction pooler
//! may stand in between.

pub mod error;
pub mod events;
pub mod fulfilments;
pub mod idempotency;
pub mod order_list;
pub mod orders;
pub mod pool;
mod rows;

pub use error::Error;
pub use pool::Database;

/// The migrations in `migrations/`, part of the binary.
pub static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!();
