//! Rows of the orders file and of the items file, and batches of rows.

use std::ops::AddAssign;
use std::sync::Arc;

use sqlx::PgConnection;

use super::error::{Error, FileViolations};
use super::fields::RecordFields;
use super::progress::ImportStage;
use crate::domain::money::Currency;

/// A row of one of the files.
pub(super) trait ImportRow: Sized + Send + Sync + 'static {
    /// The file of these rows.
    const STAGE: ImportStage;
    /// The columns, the row's own id first.
    const COLUMNS: &'static [&'static str];

    /// The columns that a file may lack.
    const OPTIONAL: &'static [&'static str] = &[];

    /// Parses a record. Returns `None` after recording every violation.
    fn read(fields: &mut RecordFields<'_>, currency: Currency) -> Option<Self>;

    fn id(&self) -> i64;

    /// The id of the order to which the row belongs.
    fn order_id(&self) -> i64;

    /// Inserts new rows and compares the others with what the database holds.
    fn write(
        conn: &mut PgConnection,
        batch: &mut RowBatch<Self>,
        currency: Currency,
    ) -> impl Future<Output = Result<RowCounts, Error>> + Send;

    /// Checks for violations that only the complete file shows.
    fn review(
        conn: &mut PgConnection,
        file: Arc<str>,
    ) -> impl Future<Output = Result<FileViolations, Error>> + Send;
}

/// A row and the line on which it starts.
pub(super) struct NumberedRow<T> {
    pub line: u64,
    pub row: T,
}

/// A batch of consecutive records of a file.
pub(super) struct RowBatch<T> {
    /// The rows without violations.
    pub rows: Vec<NumberedRow<T>>,
    /// The violations of the other rows.
    pub violations: FileViolations,
    /// How many records the batch has, valid and invalid.
    pub records: u64,
    /// How many bytes of the file had been read at the end of the batch.
    pub bytes_read: u64,
}

impl<T> RowBatch<T> {
    /// One value of each row: a column, as array parameters of SQL take it.
    pub fn column<'a, V>(&'a self, value: impl Fn(&'a T) -> V) -> Vec<V> {
        self.rows
            .iter()
            .map(|numbered| value(&numbered.row))
            .collect()
    }
}

/// How many rows were written.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct RowCounts {
    /// Rows that were inserted.
    pub new: u64,
    /// Rows that existed already.
    pub known: u64,
    /// The largest id of all rows; 0 without rows.
    pub max_id: i64,
}

impl RowCounts {
    /// The counts of a batch of which `new` rows were inserted and all others existed.
    pub fn of<T: ImportRow>(batch: &RowBatch<T>, new: usize) -> Self {
        let known = batch.rows.len().saturating_sub(new);
        Self {
            new: u64::try_from(new).unwrap_or(u64::MAX),
            known: u64::try_from(known).unwrap_or(u64::MAX),
            max_id: batch.column(T::id).into_iter().max().unwrap_or(0),
        }
    }
}

impl AddAssign for RowCounts {
    fn add_assign(&mut self, other: Self) {
        self.new += other.new;
        self.known += other.known;
        self.max_id = self.max_id.max(other.max_id);
    }
}

/// The names of the columns that differ, separated by commas; `None` if none does.
pub(super) fn differing(columns: &[(&str, bool)]) -> Option<String> {
    let names: Vec<_> = columns
        .iter()
        .filter_map(|&(name, differs)| differs.then_some(name))
        .collect();
    (!names.is_empty()).then(|| names.join(", "))
}
