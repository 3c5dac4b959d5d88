//! What the rows of the two files have in common.

use std::ops::AddAssign;
use std::sync::Arc;

use sqlx::PgConnection;

use super::cells::Cells;
use super::error::Findings;
use super::{Error, Stage};
use crate::domain::money::Currency;

/// A row of one of the files.
pub(super) trait Row: Sized + Send + Sync + 'static {
    /// The file's turn.
    const STAGE: Stage;
    /// The columns that are read, the row's own number first.
    const COLUMNS: &'static [&'static str];

    /// Those of them that a file may lack.
    const OPTIONAL: &'static [&'static str] = &[];

    /// Reads a record; `None` once everything that is wrong with it has been told.
    fn read(cells: &mut Cells<'_>, currency: Currency) -> Option<Self>;

    /// The row's own number.
    fn id(&self) -> i64;

    /// The number of the order that it is about.
    fn order_id(&self) -> i64;

    /// Writes what is new and compares what is there already.
    fn write(
        conn: &mut PgConnection,
        batch: &mut Batch<Self>,
        currency: Currency,
    ) -> impl Future<Output = Result<Counts, Error>> + Send;

    /// Looks for what can only be seen once the whole file has been written.
    fn review(
        conn: &mut PgConnection,
        file: Arc<str>,
    ) -> impl Future<Output = Result<Findings, Error>> + Send;
}

/// A row and the line on which it begins.
pub(super) struct Numbered<T> {
    pub line: u64,
    pub row: T,
}

/// A stretch of a file.
pub(super) struct Batch<T> {
    /// The rows that can be imported as far as they themselves go.
    pub rows: Vec<Numbered<T>>,
    /// What is wrong with the others.
    pub findings: Findings,
    /// How many records there were, good and bad.
    pub records: u64,
    /// How much of the file had been read after it.
    pub bytes_read: u64,
}

impl<T> Batch<T> {
    /// One value of each row, as the database takes columns.
    pub fn column<'a, V>(&'a self, value: impl Fn(&'a T) -> V) -> Vec<V> {
        self.rows
            .iter()
            .map(|numbered| value(&numbered.row))
            .collect()
    }
}

/// What became of some rows.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    /// Written.
    pub new: u64,
    /// There already.
    pub known: u64,
    /// The largest number that any of them has; 0 when there is none.
    pub max_id: i64,
}

impl Counts {
    /// The counts of a batch of which `new` were written and all others known.
    pub fn of<T: Row>(batch: &Batch<T>, new: usize) -> Self {
        let known = batch.rows.len().saturating_sub(new);
        Self {
            new: u64::try_from(new).unwrap_or(u64::MAX),
            known: u64::try_from(known).unwrap_or(u64::MAX),
            max_id: batch.column(T::id).into_iter().max().unwrap_or(0),
        }
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.new += other.new;
        self.known += other.known;
        self.max_id = self.max_id.max(other.max_id);
    }
}

/// The names of those columns that differ, as a list to read; `None` when none does.
pub(super) fn differing(columns: &[(&str, bool)]) -> Option<String> {
    let names: Vec<_> = columns
        .iter()
        .filter_map(|&(name, differs)| differs.then_some(name))
        .collect();
    (!names.is_empty()).then(|| names.join(", "))
}
