//! Takes over the orders of an earlier shop from two CSV files, all of them or none.
//!
//! The files are streamed: what is in memory at any time is a few batches, however long they are.
//! Rows that are there already with the same content are left as they are, so that a second run
//! changes nothing and a longer file brings only what is new. A row that cannot be imported is
//! named by file, line and column, and then nothing is imported.
//!
//! Imported orders are history: they get one event and no fulfilment, and their total is what the
//! earlier shop said, whatever their lines come to. The import needs the right to create a
//! temporary table, in which it remembers the ids that it has met.

mod cells;
mod error;
mod feed;
mod items;
mod orders;
mod records;
mod row;
mod seen;
mod sequences;
mod statuses;
mod values;

use std::fs::File;
use std::path::PathBuf;

use sqlx::{Connection, PgConnection};

use crate::domain::money::Currency;
use error::Faults;
pub use error::{Error, Fault, Rejected};
use feed::Feed;
use items::ItemRow;
use orders::OrderRow;
use records::Records;
use row::{Counts, Row};

/// How many rows are written at once unless something else is asked for.
pub const DEFAULT_BATCH_ROWS: usize = 5_000;

/// Where the rows come from.
#[derive(Clone, Debug)]
pub struct Files {
    /// `order_id, customer_id, order_status, payment_status, order_total, created_at`.
    pub orders: PathBuf,
    /// `order_item_id, order_id, product_id, sku, quantity, unit_price`, and
    /// `name` where there is one.
    pub items: PathBuf,
}

/// How the rows are taken.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// The currency of every amount in the files.
    pub currency: Currency,
    /// How many rows are written at once.
    pub batch_rows: usize,
}

impl Options {
    /// Amounts of `currency`, in batches of [`DEFAULT_BATCH_ROWS`].
    pub fn new(currency: Currency) -> Self {
        Self {
            currency,
            batch_rows: DEFAULT_BATCH_ROWS,
        }
    }
}

/// Which file is being taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The orders, which come first.
    Orders,
    /// Their lines.
    Items,
}

/// How far an import has come; told when a file is begun and after each batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The file that is being taken.
    pub stage: Stage,
    /// How much of that file has been read.
    pub bytes_read: u64,
    /// How long that file is; 0 when nobody can say, as of a pipe.
    pub bytes_total: u64,
    /// How many rows of that file have been dealt with.
    pub rows: u64,
}

/// What an import did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Orders that were not there before.
    pub orders_new: u64,
    /// Orders that were there already and stay as they are.
    pub orders_known: u64,
    /// Lines that were not there before.
    pub items_new: u64,
    /// Lines that were there already.
    pub items_known: u64,
}

/// Takes over the orders and lines of `files` in one transaction, telling `progress` about it.
///
/// An [`Error::Rejected`] names the first rows that cannot be imported. Whatever the error, the
/// database is as it was.
///
/// Orders may be placed meanwhile. One that the database numbers like an order of the files waits
/// for the import and is refused then; so a first import comes before the first order, and a later
/// one, whose numbers the sequences are past, at any time.
pub async fn import(
    conn: &mut PgConnection,
    files: Files,
    options: Options,
    progress: &mut (dyn FnMut(Progress) + Send),
) -> Result<Summary, Error> {
    // Both are opened first, so that a wrong name for the second is told before an hour's work.
    let orders = open::<OrderRow>(files.orders).await?;
    let items = open::<ItemRow>(files.items).await?;

    let mut tx = conn.begin().await?;
    match take_over(&mut tx, orders, items, options, progress).await {
        Ok(summary) => {
            tx.commit().await?;
            Ok(summary)
        }
        Err(error) => {
            // What went wrong first is what to tell; without an answer to the rollback the server
            // does the same when the connection ends.
            drop(tx.rollback().await);
            Err(error)
        }
    }
}

async fn open<T: Row>(path: PathBuf) -> Result<Records<File>, Error> {
    tokio::task::spawn_blocking(move || Records::open(&path, T::COLUMNS, T::OPTIONAL))
        .await
        .map_err(Error::Interrupted)?
}

async fn take_over(
    conn: &mut PgConnection,
    orders: Records<File>,
    items: Records<File>,
    options: Options,
    progress: &mut (dyn FnMut(Progress) + Send),
) -> Result<Summary, Error> {
    seen::prepare(conn).await?;
    let mut faults = Faults::default();
    let orders = take::<OrderRow>(conn, orders, options, true, &mut faults, progress).await?;
    // The lines of orders that were rejected would all be told as lines without an order, so that
    // these are only read then.
    let sound = faults.is_empty();
    let items = take::<ItemRow>(conn, items, options, sound, &mut faults, progress).await?;
    faults.into_result()?;

    // Last, since no rollback takes it back.
    sequences::move_past(conn, "orders", "order_id", orders.max_id).await?;
    sequences::move_past(conn, "order_items", "order_item_id", items.max_id).await?;
    Ok(Summary {
        orders_new: orders.new,
        orders_known: orders.known,
        items_new: items.new,
        items_known: items.known,
    })
}

/// Takes one file; writes its rows only when asked to.
async fn take<T: Row>(
    conn: &mut PgConnection,
    records: Records<File>,
    options: Options,
    write: bool,
    faults: &mut Faults,
    progress: &mut (dyn FnMut(Progress) + Send),
) -> Result<Counts, Error> {
    let mut state = Progress {
        stage: T::STAGE,
        bytes_read: 0,
        bytes_total: records.bytes_total(),
        rows: 0,
    };
    progress(state);
    let file = records.file();
    let mut counts = Counts::default();
    let mut feed = Feed::<T>::start(records, options);
    while let Some(mut batch) = feed.next().await? {
        if write {
            seen::reject_repeated(conn, &mut batch).await?;
            counts += T::write(conn, &mut batch, options.currency).await?;
        }
        faults.absorb(batch.findings);
        state.bytes_read = batch.bytes_read;
        state.rows += batch.records;
        progress(state);
    }
    if write {
        faults.absorb(T::review(conn, file).await?);
    }
    Ok(counts)
}
