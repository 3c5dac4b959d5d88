//! The values of one record, each read into what it should be or told as a fault.

use std::fmt::Display;

use super::error::Findings;
use super::records::Record;

/// One record and where to tell what is wrong with it.
pub(super) struct Cells<'a> {
    line: u64,
    columns: &'static [&'static str],
    record: Record<'a>,
    findings: &'a mut Findings,
}

impl<'a> Cells<'a> {
    /// The record that begins on `line`, its values in the order of `columns`.
    pub fn new(
        line: u64,
        columns: &'static [&'static str],
        record: Record<'a>,
        findings: &'a mut Findings,
    ) -> Self {
        Self {
            line,
            columns,
            record,
            findings,
        }
    }

    /// Reads the value of `column`; `None` once it has been told what is wrong with it.
    ///
    /// All columns of a record should be read before giving it up, so that all its faults are told.
    pub fn read<T, E: Display>(
        &mut self,
        column: &'static str,
        read: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        let problem = match std::str::from_utf8(self.value(column)) {
            Ok(text) => match read(text) {
                Ok(value) => return Some(value),
                Err(problem) => problem.to_string(),
            },
            Err(_) => "must be UTF-8".to_owned(),
        };
        self.reject(column, problem);
        None
    }

    /// Tells what is wrong with the value of `column`.
    pub fn reject(&mut self, column: &'static str, problem: impl Display) {
        let value = String::from_utf8_lossy(self.value(column));
        self.findings.value(self.line, column, value, problem);
    }

    fn value(&self, column: &str) -> &'a [u8] {
        let at = self.columns.iter().position(|name| *name == column);
        at.map_or(&[], |at| self.record.value(at))
    }
}
