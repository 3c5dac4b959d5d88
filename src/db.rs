//! The adapter to PostgreSQL: plain functions over a connection, one statement each. Each statement is its own
//! transaction, so that no transaction stays open during a call to a peer, and a pooler in transaction mode
//! may be used. `run!` calls these functions with a connection of the pool.

mod batcher;
mod change;
pub mod error;
pub mod events;
pub mod idempotency;
pub mod migrations;
pub mod optimistic;
pub mod order_list;
pub mod order_loader;
pub mod orders;
pub mod periodic_tasks;
pub mod pool;
pub mod recent_orders;
pub mod replica;
mod rows;
pub mod run;
pub mod sagas;

pub use error::Error;
pub use migrations::{MIGRATIONS, check_migrated};
pub use order_loader::OrderLoader;
pub use pool::{ConnectionPool, PoolSettings};
pub use replica::Replica;
pub(crate) use run::run;
