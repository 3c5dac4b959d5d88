//! Fills a database with made-up orders, as many as asked for: for benchmarks, for tests of size and
//! for demonstrations. The same seed and the same end give the same orders.
//!
//! Into an empty database the rows go without indexes and keys, which are made afterwards; all of it
//! is one transaction, so that nobody ever sees it half done.

mod rebuild;
mod shop;
mod story;
mod tables;

use sqlx::{Connection as _, PgConnection};
use time::OffsetDateTime;
use tokio::sync::mpsc;

use crate::domain::money::Currency;
pub use shop::ORDERS_PER_CUSTOMER;
use shop::Shop;
use tables::{TABLES, Table};

/// How many bytes of rows are sent at once.
const CHUNK_BYTES: usize = 1 << 20;

/// What is to be made.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// How many orders.
    pub orders: u64,
    /// How many customers they belong to; the first ones have the most.
    pub customers: u64,
    /// What chance goes by.
    pub seed: u64,
    /// When the last order was placed; the first one was three years before.
    pub until: OffsetDateTime,
    /// The currency of every amount.
    pub currency: Currency,
    /// Whether orders that are there already may stay, beside the new ones.
    pub add: bool,
}

/// How far it has come.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// What is being done: the name of a table, or of the work after the last one.
    pub stage: &'static str,
    /// How many orders' rows of that table are written.
    pub orders: u64,
}

/// Why nothing was made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There are orders that nobody wanted others beside.
    #[error("the database has orders already; --add makes more beside them")]
    NotEmpty,
    /// The database did not do it.
    #[error("the database refused it")]
    Database(#[from] sqlx::Error),
    /// A task ended without an answer.
    #[error("the rows were not made")]
    Interrupted(#[source] tokio::task::JoinError),
}

/// Makes orders, telling `progress` about it. Whatever the error, the database is as it was.
pub async fn generate(
    conn: &mut PgConnection,
    options: Options,
    progress: &mut (dyn FnMut(Progress) + Send),
) -> Result<(), Error> {
    let mut tx = conn.begin().await?;
    match fill_all(&mut tx, options, progress).await {
        Ok(()) => tx.commit().await?,
        Err(error) => {
            // At once, not when the connection is used next: the tables are locked.
            drop(tx.rollback().await);
            return Err(error);
        }
    }
    // What the planner goes by, and which pages need no second look.
    sqlx::query("vacuum (analyze) orders, order_items, order_events, fulfilments, item_terms, rare_statuses")
        .execute(conn)
        .await?;
    Ok(())
}

async fn fill_all(
    conn: &mut PgConnection,
    options: Options,
    progress: &mut (dyn FnMut(Progress) + Send),
) -> Result<(), Error> {
    sqlx::query(
        "lock table orders, order_items, order_events, fulfilments in access exclusive mode",
    )
    .execute(&mut *conn)
    .await?;
    let (last_order, last_item): (i64, i64) = sqlx::query_as(
        "select coalesce((select max(order_id) from orders), 0),
            coalesce((select max(order_item_id) from order_items), 0)",
    )
    .fetch_one(&mut *conn)
    .await?;
    if last_order > 0 && !options.add {
        return Err(Error::NotEmpty);
    }
    let shop = Shop::new(options, last_order, last_item);
    let laid_aside = if last_order == 0 {
        Some(rebuild::lay_aside(conn).await?)
    } else {
        None
    };
    for table in TABLES {
        fill(conn, table, shop, laid_aside.is_some(), progress).await?;
    }
    let rebuilding = Progress {
        stage: "indexes",
        orders: options.orders,
    };
    progress(rebuilding);
    if let Some(laid_aside) = laid_aside {
        laid_aside.make_anew(conn).await?;
    }
    rebuild::move_sequences(conn).await?;
    Ok(())
}

/// Writes the rows of one table, which are made on a thread of their own meanwhile.
async fn fill(
    conn: &mut PgConnection,
    table: &'static Table,
    shop: Shop,
    frozen: bool,
    progress: &mut (dyn FnMut(Progress) + Send),
) -> Result<(), Error> {
    let (sender, mut chunks) = mpsc::channel(2);
    let maker = tokio::task::spawn_blocking(move || make(table, shop, &sender));
    let statement = match frozen {
        true => table.copy_frozen,
        false => table.copy,
    };
    let mut copy = conn.copy_in_raw(statement).await?;
    while let Some((chunk, orders)) = chunks.recv().await {
        copy.send(chunk).await?;
        progress(Progress {
            stage: table.name,
            orders,
        });
    }
    maker.await.map_err(Error::Interrupted)?;
    copy.finish().await?;
    Ok(())
}

fn make(table: &'static Table, mut shop: Shop, sender: &mpsc::Sender<(Vec<u8>, u64)>) {
    let mut rows = String::with_capacity(CHUNK_BYTES + CHUNK_BYTES / 8);
    for number in 1..=shop.orders() {
        (table.write)(&mut rows, &mut shop, number);
        if rows.len() >= CHUNK_BYTES || number == shop.orders() {
            let chunk = std::mem::replace(&mut rows, String::with_capacity(CHUNK_BYTES * 9 / 8));
            if sender.blocking_send((chunk.into_bytes(), number)).is_err() {
                return;
            }
        }
    }
}
