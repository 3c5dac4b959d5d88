//! Reads a CSV file record by record, knowing on which line each begins.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use csv::{ByteRecord, ReaderBuilder, Terminator};

use super::error::Error;

/// No row of an order comes near this. A longer one is a quote that is never closed, which would
/// otherwise take the rest of the file into memory as one value.
const MAX_RECORD_BYTES: usize = 1 << 20;

/// A file whose first record names the columns.
pub(super) struct Records<R> {
    file: Arc<str>,
    bytes_total: u64,
    reader: csv::Reader<Input<R>>,
    record: ByteRecord,
    width: usize,
    /// Where in a record the needed columns are, in the order in which they were asked for.
    columns: Vec<usize>,
}

/// The values of a record.
#[derive(Clone, Copy)]
pub(super) struct Record<'a> {
    values: &'a ByteRecord,
    columns: &'a [usize],
}

impl<'a> Record<'a> {
    /// The value in the needed column `at`, without the blanks around it.
    pub fn value(self, at: usize) -> &'a [u8] {
        let column = self.columns.get(at).copied();
        column
            .and_then(|column| self.values.get(column))
            .unwrap_or_default()
            .trim_ascii()
    }
}

/// What the next record turned out to be.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// A record with a value for each column, beginning on this line.
    Record(u64),
    /// A record that makes no sense; the ones after it do.
    Wrong(u64, String),
    /// Something that leaves no telling where the next record begins.
    Broken(u64, &'static str),
    /// Nothing: the file has ended.
    End,
}

impl Records<File> {
    /// Opens a file that has at least those of the columns that are not `optional`.
    pub fn open(
        path: &Path,
        columns: &'static [&'static str],
        optional: &'static [&'static str],
    ) -> Result<Self, Error> {
        let file: Arc<str> = path.display().to_string().into();
        let open = || {
            let input = File::open(path)?;
            let bytes_total = input.metadata()?.len();
            Ok((input, bytes_total))
        };
        let (input, bytes_total) = open().map_err(|source| Error::Read {
            file: Arc::clone(&file),
            source,
        })?;
        Self::new(file, input, bytes_total, columns, optional)
    }
}

impl<R: Read> Records<R> {
    /// Reads the first record, which must name those of the columns that are not `optional`.
    pub fn new(
        file: Arc<str>,
        input: R,
        bytes_total: u64,
        columns: &'static [&'static str],
        optional: &'static [&'static str],
    ) -> Result<Self, Error> {
        // Only '\n' ends a record here; the '\r' before it is taken off the last value. With the
        // two as one terminator the reader stops between them, and its line numbers are too low.
        let reader = ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .terminator(Terminator::Any(b'\n'))
            .from_reader(Input::new(input));
        let mut records = Self {
            file,
            bytes_total,
            reader,
            record: ByteRecord::new(),
            width: 0,
            columns: Vec::new(),
        };
        records.read_header(columns, optional)?;
        Ok(records)
    }

    /// The file, as it was named.
    pub fn file(&self) -> Arc<str> {
        Arc::clone(&self.file)
    }

    /// How long the file was when it was opened.
    pub fn bytes_total(&self) -> u64 {
        self.bytes_total
    }

    /// How much of the file has been read.
    pub fn bytes_read(&self) -> u64 {
        self.reader.get_ref().bytes_read
    }

    /// The record that was read last.
    pub fn record(&self) -> Record<'_> {
        Record {
            values: &self.record,
            columns: &self.columns,
        }
    }

    /// Goes on to the next record that is more than an empty line.
    pub fn advance(&mut self) -> Result<Next, Error> {
        let next = self.read()?;
        let Next::Record(line) = next else {
            return Ok(next);
        };
        if self.record.len() != self.width {
            let (has, needs) = (self.record.len(), self.width);
            let problem = format!("has {has} values, the columns are {needs}");
            return Ok(Next::Wrong(line, problem));
        }
        Ok(next)
    }

    fn read_header(
        &mut self,
        names: &'static [&'static str],
        optional: &'static [&'static str],
    ) -> Result<(), Error> {
        let (line, problem) = match self.read()? {
            Next::Record(line) => match columns(&self.record, names, optional) {
                Ok(columns) => {
                    self.width = self.record.len();
                    self.columns = columns;
                    return Ok(());
                }
                Err(problem) => (line, problem),
            },
            Next::Wrong(line, problem) => (line, problem),
            Next::Broken(line, problem) => (line, problem.to_owned()),
            Next::End => (1, "there is no header".to_owned()),
        };
        let needed: Vec<&str> = names
            .iter()
            .copied()
            .filter(|name| !optional.contains(name))
            .collect();
        Err(Error::Header {
            file: self.file(),
            line,
            problem,
            needed: needed.join(", "),
        })
    }

    fn read(&mut self) -> Result<Next, Error> {
        loop {
            let first_line = self.reader.position().line();
            self.reader.get_mut().record_bytes = 0;
            let found = self.reader.read_byte_record(&mut self.record);
            if self.reader.get_ref().too_long {
                return Ok(Next::Broken(
                    first_line,
                    "the row goes on for more than a megabyte; is there a quote without its \
                     counterpart?",
                ));
            }
            let found = found.map_err(|error| Error::Read {
                file: Arc::clone(&self.file),
                source: error.into(),
            })?;
            if !found {
                return Ok(Next::End);
            }
            // The reader stands behind the '\n' that ended the record. Its own idea of where a
            // record began counts the empty lines before it as well.
            let bytes = self.record.as_slice();
            let inner: u64 = bytes.iter().map(|byte| u64::from(*byte == b'\n')).sum();
            let line = self.reader.position().line() - 1 - inner;
            if self.reader.get_ref().ended {
                return Ok(Next::Broken(
                    line + 1,
                    "there is a quote without its counterpart",
                ));
            }
            if self.record.len() > 1 || !bytes.trim_ascii().is_empty() {
                return Ok(Next::Record(line));
            }
        }
    }
}

/// Where the columns are; beyond every record for one that is missing and may be.
fn columns(header: &ByteRecord, wanted: &[&str], optional: &[&str]) -> Result<Vec<usize>, String> {
    let names: Vec<_> = header
        .iter()
        .map(|name| name.trim_ascii().to_ascii_lowercase())
        .collect();
    let mut columns = Vec::with_capacity(wanted.len());
    let mut missing = Vec::new();
    for &name in wanted {
        let mut places = (0..names.len()).filter(|&at| names[at] == name.as_bytes());
        match (places.next(), places.next()) {
            (Some(at), None) => columns.push(at),
            (Some(_), Some(_)) => return Err(format!("the column {name} is there twice")),
            (None, _) if optional.contains(&name) => columns.push(usize::MAX),
            (None, _) => missing.push(name),
        }
    }
    match missing.as_slice() {
        [] => Ok(columns),
        [name] => Err(format!("there is no column {name}")),
        names => Err(format!("there are no columns {}", names.join(", "))),
    }
}

/// The bytes of a file, ended by a '\n' whether it has one or not: then the only record that meets
/// the end of the file is one inside an open quote.
struct Input<R> {
    inner: R,
    bytes_read: u64,
    record_bytes: usize,
    too_long: bool,
    newline_added: bool,
    ended: bool,
}

impl<R> Input<R> {
    fn new(inner: R) -> Self {
        Self {
            inner,
            bytes_read: 0,
            record_bytes: 0,
            too_long: false,
            newline_added: false,
            ended: false,
        }
    }
}

impl<R: Read> Read for Input<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.record_bytes > MAX_RECORD_BYTES {
            self.too_long = true;
            return Err(io::ErrorKind::InvalidData.into());
        }
        if self.newline_added {
            self.ended = true;
            return Ok(0);
        }
        let read = self.inner.read(buffer)?;
        self.record_bytes += read;
        self.bytes_read += u64::try_from(read).unwrap_or(u64::MAX);
        match buffer.first_mut() {
            Some(first) if read == 0 => {
                *first = b'\n';
                self.newline_added = true;
                Ok(1)
            }
            _ => Ok(read),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(text: &[u8]) -> Result<Records<&[u8]>, Error> {
        Records::new("some.csv".into(), text, 0, &["a", "b"], &[])
    }

    fn walk(text: &[u8]) -> Vec<Next> {
        let mut records = records(text).unwrap();
        let mut found = Vec::new();
        while found.last() != Some(&Next::End) {
            found.push(records.advance().unwrap());
        }
        found
    }

    #[test]
    fn records_know_their_line_for_any_line_ending() {
        let expected = [
            Next::Record(2),
            Next::Record(5),
            Next::Record(7),
            Next::Wrong(8, "has 1 values, the columns are 2".to_owned()),
            Next::Record(9),
            Next::End,
        ];
        let text = "a,b\n1,2\n\n \n3,\"x\ny\"\n4,5\nz\n6,7";
        assert_eq!(walk(text.as_bytes()), expected);
        assert_eq!(walk(text.replace('\n', "\r\n").as_bytes()), expected);
        assert_eq!(walk(format!("{text}\n\n").as_bytes()), expected);
    }

    #[test]
    fn columns_are_found_by_name_after_a_byte_order_mark() {
        let mut records = records(b"\xef\xbb\xbfc, B ,A\r\nx, 2,1 \r\n").unwrap();
        assert_eq!(records.advance().unwrap(), Next::Record(2));
        let record = records.record();
        assert_eq!((record.value(0), record.value(1)), (&b"1"[..], &b"2"[..]));
    }

    #[test]
    fn an_invalid_header_is_reported_with_the_required_columns() {
        for (text, told) in [
            ("", "there is no header"),
            ("a;b\n", "there are no columns a, b"),
            ("b\n", "there is no column a"),
            ("a,b,A\n", "the column a is there twice"),
        ] {
            let error = records(text.as_bytes()).err().unwrap();
            assert_eq!(
                error.to_string(),
                format!("some.csv, line 1: {told}; the columns needed are a, b")
            );
        }
    }

    #[test]
    fn an_open_quote_does_not_swallow_the_rest_of_the_file() {
        let found = walk_to_the_break(b"a,b\n1,2\n3,\"4\n5,6\n7,8\n");
        assert_eq!(found, (3, "there is a quote without its counterpart"));
        let mut long = b"a,b\n1,\"".to_vec();
        long.extend(std::iter::repeat_n(b"1,2\n", MAX_RECORD_BYTES).flatten());
        let (line, problem) = walk_to_the_break(&long);
        assert_eq!(line, 2);
        assert!(problem.contains("more than a megabyte"), "{problem}");
    }

    fn walk_to_the_break(text: &[u8]) -> (u64, &'static str) {
        let mut records = records(text).unwrap();
        loop {
            match records.advance().unwrap() {
                Next::Broken(line, problem) => return (line, problem),
                Next::End => panic!("no break"),
                Next::Record(_) | Next::Wrong(..) => {}
            }
        }
    }
}
