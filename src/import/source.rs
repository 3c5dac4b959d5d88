//! The record source: reads a file on a blocking thread and sends its rows in batches.

use std::fs::File;

use tokio::sync::mpsc;
use tokio::task::{self, JoinHandle};

use super::batch::{ImportRow, NumberedRow, RowBatch};
use super::error::{Error, FileViolations};
use super::fields::RecordFields;
use super::options::ImportOptions;
use super::records::{NextRecord, RecordReader};

/// The batches of a file. The channel holds one batch, so the reader feels backpressure and memory holds
/// three batches at most.
pub(super) struct RecordSource<T> {
    batches: mpsc::Receiver<RowBatch<T>>,
    reader: Option<JoinHandle<Result<(), Error>>>,
}

impl<T: ImportRow> RecordSource<T> {
    /// Starts the reader. It stops when the source is dropped.
    pub fn start(records: RecordReader<File>, options: ImportOptions) -> Self {
        let (sender, batches) = mpsc::channel(1);
        let reader = task::spawn_blocking(move || read(records, options, &sender));
        Self {
            batches,
            reader: Some(reader),
        }
    }

    /// The next batch; `None` at the end of the file. If the reader failed before the end of the file,
    /// this returns its error.
    pub async fn next(&mut self) -> Result<Option<RowBatch<T>>, Error> {
        if let Some(batch) = self.batches.recv().await {
            return Ok(Some(batch));
        }
        if let Some(reader) = self.reader.take() {
            reader.await.map_err(Error::Interrupted)??;
        }
        Ok(None)
    }
}

fn read<T: ImportRow>(
    mut records: RecordReader<File>,
    options: ImportOptions,
    sender: &mpsc::Sender<RowBatch<T>>,
) -> Result<(), Error> {
    loop {
        let (batch, more) = next_batch(&mut records, options)?;
        let wanted = sender.blocking_send(batch).is_ok();
        if !more || !wanted {
            return Ok(());
        }
    }
}

/// The next batch, and whether more of the file follows.
fn next_batch<T: ImportRow>(
    records: &mut RecordReader<File>,
    options: ImportOptions,
) -> Result<(RowBatch<T>, bool), Error> {
    let mut violations = FileViolations::new(records.file());
    let mut rows = Vec::new();
    let mut read = 0;
    let mut more = true;
    // Invalid rows count as well: a file of invalid rows alone must not become one batch.
    while more && read < options.batch_rows.max(1) {
        match records.advance()? {
            NextRecord::Record(line) => {
                let mut fields =
                    RecordFields::new(line, T::COLUMNS, records.record(), &mut violations);
                if let Some(row) = T::read(&mut fields, options.currency) {
                    rows.push(NumberedRow { line, row });
                }
            }
            NextRecord::Invalid(line, problem) => violations.push_row(line, problem),
            NextRecord::Unreadable(line, problem) => {
                violations.push_row(line, problem);
                more = false;
            }
            NextRecord::End => {
                more = false;
                continue;
            }
        }
        read += 1;
    }
    let batch = RowBatch {
        rows,
        violations,
        records: u64::try_from(read).unwrap_or(u64::MAX),
        bytes_read: records.bytes_read(),
    };
    Ok((batch, more))
}
