//! Fills a database with generated orders, for benchmarks, load tests and demonstrations. Equal options generate
//! equal orders.
//!
//! An empty database is filled without indexes and keys, which are built afterwards. All of it is one
//! transaction, so no other session sees a partial result.

mod error;
mod indexes;
mod options;
mod orders;
mod population;
mod scenario;
mod tables;

use sqlx::{Connection as _, PgConnection};
use tokio::sync::mpsc;

pub use error::Error;
use indexes::DroppedIndexes;
pub use options::{GenerateOptions, GenerateProgress};
pub use population::ORDERS_PER_CUSTOMER;
use population::Population;
use tables::{CopyTable, TABLES};

/// The size of one chunk of COPY data, in bytes.
const CHUNK_BYTES: usize = 1 << 20;

/// Generates orders and reports to `progress`.
///
/// # Errors
///
/// After any error the database is unchanged.
pub async fn generate(
    conn: &mut PgConnection,
    options: GenerateOptions,
    progress: &mut (dyn FnMut(GenerateProgress) + Send),
) -> Result<(), Error> {
    let mut tx = conn.begin().await?;
    match fill_all(&mut tx, options, progress).await {
        Ok(()) => tx.commit().await?,
        Err(error) => {
            // Roll back now rather than at the next use of the connection, because the tables are locked.
            drop(tx.rollback().await);
            return Err(error);
        }
    }
    // Refresh the planner statistics and the visibility map.
    sqlx::query("vacuum (analyze) orders, order_items, order_events, fulfilments, item_terms, rare_statuses")
        .execute(conn)
        .await?;
    Ok(())
}

async fn fill_all(
    conn: &mut PgConnection,
    options: GenerateOptions,
    progress: &mut (dyn FnMut(GenerateProgress) + Send),
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
    let population = Population::new(options, last_order, last_item);
    let dropped = if last_order == 0 {
        Some(DroppedIndexes::drop_all(conn).await?)
    } else {
        None
    };
    for table in TABLES {
        fill(conn, table, population, dropped.is_some(), progress).await?;
    }
    let rebuilding = GenerateProgress {
        stage: "indexes",
        orders: options.orders,
    };
    progress(rebuilding);
    if let Some(dropped) = dropped {
        dropped.rebuild(conn).await?;
    }
    indexes::move_sequences(conn).await?;
    Ok(())
}

/// Fills one table, while a blocking thread generates its rows.
async fn fill(
    conn: &mut PgConnection,
    table: &'static CopyTable,
    population: Population,
    frozen: bool,
    progress: &mut (dyn FnMut(GenerateProgress) + Send),
) -> Result<(), Error> {
    let (sender, mut chunks) = mpsc::channel(2);
    let generator = tokio::task::spawn_blocking(move || generate_rows(table, population, &sender));
    let statement = match frozen {
        true => table.copy_frozen,
        false => table.copy,
    };
    let mut copy = conn.copy_in_raw(statement).await?;
    while let Some((chunk, orders)) = chunks.recv().await {
        copy.send(chunk).await?;
        progress(GenerateProgress {
            stage: table.name,
            orders,
        });
    }
    generator.await.map_err(Error::Interrupted)?;
    copy.finish().await?;
    Ok(())
}

fn generate_rows(
    table: &'static CopyTable,
    mut population: Population,
    sender: &mpsc::Sender<(Vec<u8>, u64)>,
) {
    let mut rows = String::with_capacity(CHUNK_BYTES + CHUNK_BYTES / 8);
    for index in 1..=population.orders() {
        (table.write)(&mut rows, &mut population, index);
        if rows.len() >= CHUNK_BYTES || index == population.orders() {
            let chunk = std::mem::replace(&mut rows, String::with_capacity(CHUNK_BYTES * 9 / 8));
            if sender.blocking_send((chunk.into_bytes(), index)).is_err() {
                return;
            }
        }
    }
}
