//! The adapter to PostgreSQL: plain functions over a connection, one statement each. A statement is
//! its own transaction, so that nothing stays open while a peer is called and a transaction pooler
//! may stand in between. `run!` brings functions and connections together.

mod change;
pub mod error;
pub mod events;
pub mod histories;
pub mod idempotency;
pub mod migrations;
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
pub use migrations::{MIGRATIONS, check_migrated};
pub use order_reads::OrderReads;
pub use pool::{Database, Limits};
pub use replica::Replica;
pub(crate) use run::run;
