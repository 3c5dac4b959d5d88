//! Imports the orders of an earlier shop from two CSV files, in one transaction.
//!
//! The importer streams the files: memory holds a few batches at most, however long the files are. An
//! import is idempotent. Rows that exist already with the same content stay unchanged, so a second run
//! changes nothing and a longer file adds only its new rows. The importer reports an invalid row by file,
//! line and column, and then imports nothing.
//!
//! Imported orders are history: they get one event and no fulfilment, and their total is the one in the
//! file, whatever the sum of their items. The importer needs the privilege to create a temporary table,
//! which holds the ids seen so far.

mod batch;
mod error;
mod fields;
mod items;
mod options;
mod orders;
mod progress;
mod records;
mod seen_ids;
mod sequences;
mod source;
mod statuses;
mod values;

use std::fs::File;
use std::path::PathBuf;

use sqlx::{Connection, PgConnection};

use batch::{ImportRow, RowCounts};
use error::ImportViolations;
pub use error::{Error, RejectedRows, RowViolation};
use items::ItemRow;
pub use options::{ImportFiles, ImportOptions};
use orders::OrderRow;
pub use progress::{ImportProgress, ImportStage, ImportSummary};
use records::RecordReader;
use source::RecordSource;

/// Imports the orders and items of `files` in one transaction and reports to `progress`.
///
/// The service may place orders meanwhile. A placement whose new order id equals an id in the files waits
/// for the import and then fails. Run the first import before the first placement; later imports are safe
/// at any time, because the sequences have passed the imported ids.
///
/// # Errors
///
/// [`Error::Rejected`] lists the first invalid rows. After any error the database is unchanged.
pub async fn import(
    conn: &mut PgConnection,
    files: ImportFiles,
    options: ImportOptions,
    progress: &mut (dyn FnMut(ImportProgress) + Send),
) -> Result<ImportSummary, Error> {
    // Open both files first: a wrong name of the second fails before an hour of work.
    let orders = open::<OrderRow>(files.orders).await?;
    let items = open::<ItemRow>(files.items).await?;

    let mut tx = conn.begin().await?;
    match import_both(&mut tx, orders, items, options, progress).await {
        Ok(summary) => {
            tx.commit().await?;
            Ok(summary)
        }
        Err(error) => {
            // Report the first error. If the rollback fails as well, the server rolls back when the
            // connection ends.
            drop(tx.rollback().await);
            Err(error)
        }
    }
}

async fn open<T: ImportRow>(path: PathBuf) -> Result<RecordReader<File>, Error> {
    tokio::task::spawn_blocking(move || RecordReader::open(&path, T::COLUMNS, T::OPTIONAL))
        .await
        .map_err(Error::Interrupted)?
}

async fn import_both(
    conn: &mut PgConnection,
    orders: RecordReader<File>,
    items: RecordReader<File>,
    options: ImportOptions,
    progress: &mut (dyn FnMut(ImportProgress) + Send),
) -> Result<ImportSummary, Error> {
    seen_ids::create_table(conn).await?;
    let mut violations = ImportViolations::default();
    let orders =
        import_file::<OrderRow>(conn, orders, options, true, &mut violations, progress).await?;
    // Every item of a rejected order would count as an item without an order, so after a violation the
    // importer only validates the items.
    let valid = violations.is_empty();
    let items =
        import_file::<ItemRow>(conn, items, options, valid, &mut violations, progress).await?;
    violations.into_result()?;

    // Last, because a rollback does not undo it.
    sequences::move_past(conn, "orders", "order_id", orders.max_id).await?;
    sequences::move_past(conn, "order_items", "order_item_id", items.max_id).await?;
    Ok(ImportSummary {
        orders_new: orders.new,
        orders_known: orders.known,
        items_new: items.new,
        items_known: items.known,
    })
}

/// Reads and validates one file, and writes its rows if `write` is set.
async fn import_file<T: ImportRow>(
    conn: &mut PgConnection,
    records: RecordReader<File>,
    options: ImportOptions,
    write: bool,
    violations: &mut ImportViolations,
    progress: &mut (dyn FnMut(ImportProgress) + Send),
) -> Result<RowCounts, Error> {
    let mut state = ImportProgress {
        stage: T::STAGE,
        bytes_read: 0,
        bytes_total: records.bytes_total(),
        rows: 0,
    };
    progress(state);
    let file = records.file();
    let mut counts = RowCounts::default();
    let mut source = RecordSource::<T>::start(records, options);
    while let Some(mut batch) = source.next().await? {
        if write {
            seen_ids::reject_repeated(conn, &mut batch).await?;
            counts += T::write(conn, &mut batch, options.currency).await?;
        }
        violations.absorb(batch.violations);
        state.bytes_read = batch.bytes_read;
        state.rows += batch.records;
        progress(state);
    }
    if write {
        violations.absorb(T::review(conn, file).await?);
    }
    Ok(counts)
}
