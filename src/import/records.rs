//! Reads a CSV file record by record, with the line on which each record starts.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use csv::{ByteRecord, ReaderBuilder, Terminator};

use super::error::Error;

/// The longest record. No valid row comes near this length. A longer record starts with an unclosed quote,
/// which would otherwise read the rest of the file into memory as one field.
const MAX_RECORD_BYTES: usize = 1 << 20;

/// A CSV file with a header.
pub(super) struct RecordReader<R> {
    file: Arc<str>,
    bytes_total: u64,
    reader: csv::Reader<BoundedInput<R>>,
    record: ByteRecord,
    width: usize,
    /// The position of each requested column in a record, in the order of the request.
    columns: Vec<usize>,
}

/// The fields of a record.
#[derive(Clone, Copy)]
pub(super) struct CsvRecord<'a> {
    fields: &'a ByteRecord,
    columns: &'a [usize],
}

impl<'a> CsvRecord<'a> {
    /// The field of the requested column `at`, without surrounding blanks.
    pub fn field(self, at: usize) -> &'a [u8] {
        let column = self.columns.get(at).copied();
        column
            .and_then(|column| self.fields.get(column))
            .unwrap_or_default()
            .trim_ascii()
    }
}

/// The result of reading the next record.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NextRecord {
    /// A record with a field for each column, starting on this line.
    Record(u64),
    /// An invalid record; the records after it may be valid.
    Invalid(u64, String),
    /// A syntax error after which the start of the next record is unknown.
    Unreadable(u64, &'static str),
    /// The end of the file.
    End,
}

impl RecordReader<File> {
    /// Opens a file that has all `columns` except, possibly, the `optional` ones.
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

impl<R: Read> RecordReader<R> {
    /// Reads the header, which must name all `columns` except, possibly, the `optional` ones.
    pub fn new(
        file: Arc<str>,
        input: R,
        bytes_total: u64,
        columns: &'static [&'static str],
        optional: &'static [&'static str],
    ) -> Result<Self, Error> {
        // Only '\n' ends a record; `field` trims the '\r' before it. With `Terminator::CRLF` the reader stops
        // between the two characters, so its line numbers are too low.
        let reader = ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .terminator(Terminator::Any(b'\n'))
            .from_reader(BoundedInput::new(input));
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

    /// The name of the file, as given.
    pub fn file(&self) -> Arc<str> {
        Arc::clone(&self.file)
    }

    /// The length of the file in bytes when it was opened.
    pub fn bytes_total(&self) -> u64 {
        self.bytes_total
    }

    /// How many bytes of the file have been read.
    pub fn bytes_read(&self) -> u64 {
        self.reader.get_ref().bytes_read
    }

    /// The last record read.
    pub fn record(&self) -> CsvRecord<'_> {
        CsvRecord {
            fields: &self.record,
            columns: &self.columns,
        }
    }

    /// Reads the next record, skipping blank lines.
    pub fn advance(&mut self) -> Result<NextRecord, Error> {
        let next = self.read()?;
        let NextRecord::Record(line) = next else {
            return Ok(next);
        };
        if self.record.len() != self.width {
            let (has, needs) = (self.record.len(), self.width);
            let problem = format!("has {has} values, the columns are {needs}");
            return Ok(NextRecord::Invalid(line, problem));
        }
        Ok(next)
    }

    fn read_header(
        &mut self,
        names: &'static [&'static str],
        optional: &'static [&'static str],
    ) -> Result<(), Error> {
        let (line, problem) = match self.read()? {
            NextRecord::Record(line) => match columns(&self.record, names, optional) {
                Ok(columns) => {
                    self.width = self.record.len();
                    self.columns = columns;
                    return Ok(());
                }
                Err(problem) => (line, problem),
            },
            NextRecord::Invalid(line, problem) => (line, problem),
            NextRecord::Unreadable(line, problem) => (line, problem.to_owned()),
            NextRecord::End => (1, "there is no header".to_owned()),
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

    fn read(&mut self) -> Result<NextRecord, Error> {
        loop {
            let first_line = self.reader.position().line();
            self.reader.get_mut().record_bytes = 0;
            let found = self.reader.read_byte_record(&mut self.record);
            if self.reader.get_ref().too_long {
                return Ok(NextRecord::Unreadable(
                    first_line,
                    "the row is longer than a megabyte; is there a quote without its \
                     counterpart?",
                ));
            }
            let found = found.map_err(|error| Error::Read {
                file: Arc::clone(&self.file),
                source: error.into(),
            })?;
            if !found {
                return Ok(NextRecord::End);
            }
            // The reader is past the '\n' that ends the record, so count back from there. The start position
            // that the reader reports includes the blank lines before the record.
            let bytes = self.record.as_slice();
            let newlines_inside: u64 = bytes.iter().map(|byte| u64::from(*byte == b'\n')).sum();
            let line = self.reader.position().line() - 1 - newlines_inside;
            if self.reader.get_ref().ended {
                return Ok(NextRecord::Unreadable(
                    line + 1,
                    "there is a quote without its counterpart",
                ));
            }
            if self.record.len() > 1 || !bytes.trim_ascii().is_empty() {
                return Ok(NextRecord::Record(line));
            }
        }
    }
}

/// The position of each column; `usize::MAX`, which no record has, for a missing optional column.
fn columns(header: &ByteRecord, wanted: &[&str], optional: &[&str]) -> Result<Vec<usize>, String> {
    let names: Vec<_> = header
        .iter()
        .map(|name| name.trim_ascii().to_ascii_lowercase())
        .collect();
    let mut columns = Vec::with_capacity(wanted.len());
    let mut missing = Vec::new();
    for &name in wanted {
        let mut positions = (0..names.len()).filter(|&at| names[at] == name.as_bytes());
        match (positions.next(), positions.next()) {
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

/// The bytes of a file, with a limit for each record and a '\n' added at the end. Because of this newline, only
/// a record inside an unclosed quote reaches the end of the input.
struct BoundedInput<R> {
    inner: R,
    bytes_read: u64,
    record_bytes: usize,
    too_long: bool,
    newline_added: bool,
    ended: bool,
}

impl<R> BoundedInput<R> {
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

impl<R: Read> Read for BoundedInput<R> {
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

    fn records(text: &[u8]) -> Result<RecordReader<&[u8]>, Error> {
        RecordReader::new("some.csv".into(), text, 0, &["a", "b"], &[])
    }

    fn read_all(text: &[u8]) -> Vec<NextRecord> {
        let mut records = records(text).unwrap();
        let mut found = Vec::new();
        while found.last() != Some(&NextRecord::End) {
            found.push(records.advance().unwrap());
        }
        found
    }

    #[test]
    fn records_know_their_line_for_any_line_ending() {
        let expected = [
            NextRecord::Record(2),
            NextRecord::Record(5),
            NextRecord::Record(7),
            NextRecord::Invalid(8, "has 1 values, the columns are 2".to_owned()),
            NextRecord::Record(9),
            NextRecord::End,
        ];
        let text = "a,b\n1,2\n\n \n3,\"x\ny\"\n4,5\nz\n6,7";
        assert_eq!(read_all(text.as_bytes()), expected);
        assert_eq!(read_all(text.replace('\n', "\r\n").as_bytes()), expected);
        assert_eq!(read_all(format!("{text}\n\n").as_bytes()), expected);
    }

    #[test]
    fn columns_are_found_by_name_after_a_byte_order_mark() {
        let mut records = records(b"\xef\xbb\xbfc, B ,A\r\nx, 2,1 \r\n").unwrap();
        assert_eq!(records.advance().unwrap(), NextRecord::Record(2));
        let record = records.record();
        assert_eq!((record.field(0), record.field(1)), (&b"1"[..], &b"2"[..]));
    }

    #[test]
    fn an_invalid_header_is_reported_with_the_required_columns() {
        for (text, problem) in [
            ("", "there is no header"),
            ("a;b\n", "there are no columns a, b"),
            ("b\n", "there is no column a"),
            ("a,b,A\n", "the column a is there twice"),
        ] {
            let error = records(text.as_bytes()).err().unwrap();
            assert_eq!(
                error.to_string(),
                format!("some.csv, line 1: {problem}; the columns needed are a, b")
            );
        }
    }

    #[test]
    fn an_open_quote_does_not_swallow_the_rest_of_the_file() {
        let found = read_to_the_error(b"a,b\n1,2\n3,\"4\n5,6\n7,8\n");
        assert_eq!(found, (3, "there is a quote without its counterpart"));
        let mut long = b"a,b\n1,\"".to_vec();
        long.extend(std::iter::repeat_n(b"1,2\n", MAX_RECORD_BYTES).flatten());
        let (line, problem) = read_to_the_error(&long);
        assert_eq!(line, 2);
        assert!(problem.contains("longer than a megabyte"), "{problem}");
    }

    fn read_to_the_error(text: &[u8]) -> (u64, &'static str) {
        let mut records = records(text).unwrap();
        loop {
            match records.advance().unwrap() {
                NextRecord::Unreadable(line, problem) => return (line, problem),
                NextRecord::End => panic!("no syntax error"),
                NextRecord::Record(_) | NextRecord::Invalid(..) => {}
            }
        }
    }
}
