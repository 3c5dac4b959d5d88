//! Reads a file on a thread that may block, and hands its rows over in batches.

use std::fs::File;

use tokio::sync::mpsc;
use tokio::task::{self, JoinHandle};

use super::cells::Cells;
use super::error::Findings;
use super::records::{Next, Records};
use super::row::{Batch, Numbered, Row};
use super::{Error, Options};

/// The batches of a file, of which no more than a few exist at any time.
pub(super) struct Feed<T> {
    batches: mpsc::Receiver<Batch<T>>,
    reader: Option<JoinHandle<Result<(), Error>>>,
}

impl<T: Row> Feed<T> {
    /// Begins to read. The reader waits while nobody takes its batches and stops when the feed is
    /// dropped.
    pub fn start(records: Records<File>, options: Options) -> Self {
        let (sender, batches) = mpsc::channel(1);
        let reader = task::spawn_blocking(move || read(records, options, &sender));
        Self {
            batches,
            reader: Some(reader),
        }
    }

    /// The next batch; `None` at the end of the file. A file that could not be read to its end is
    /// an error, never an end.
    pub async fn next(&mut self) -> Result<Option<Batch<T>>, Error> {
        if let Some(batch) = self.batches.recv().await {
            return Ok(Some(batch));
        }
        if let Some(reader) = self.reader.take() {
            reader.await.map_err(Error::Interrupted)??;
        }
        Ok(None)
    }
}

fn read<T: Row>(
    mut records: Records<File>,
    options: Options,
    sender: &mpsc::Sender<Batch<T>>,
) -> Result<(), Error> {
    loop {
        let (batch, more) = next_batch(&mut records, options)?;
        let wanted = sender.blocking_send(batch).is_ok();
        if !more || !wanted {
            return Ok(());
        }
    }
}

/// The next batch, and whether the file goes on after it.
fn next_batch<T: Row>(
    records: &mut Records<File>,
    options: Options,
) -> Result<(Batch<T>, bool), Error> {
    let mut findings = Findings::new(records.file());
    let mut rows = Vec::new();
    let mut read = 0;
    let mut more = true;
    // Bad rows count as well: a file of nothing else must not become one batch.
    while more && read < options.batch_rows.max(1) {
        match records.advance()? {
            Next::Record(line) => {
                let mut cells = Cells::new(line, T::COLUMNS, records.record(), &mut findings);
                if let Some(row) = T::read(&mut cells, options.currency) {
                    rows.push(Numbered { line, row });
                }
            }
            Next::Wrong(line, problem) => findings.row(line, problem),
            Next::Broken(line, problem) => {
                findings.row(line, problem);
                more = false;
            }
            Next::End => {
                more = false;
                continue;
            }
        }
        read += 1;
    }
    let batch = Batch {
        rows,
        findings,
        records: u64::try_from(read).unwrap_or(u64::MAX),
        bytes_read: records.bytes_read(),
    };
    Ok((batch, more))
}
