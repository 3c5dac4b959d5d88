//! The fields of one record. Each parses into its type or becomes a violation.

use std::fmt::Display;

use super::error::FileViolations;
use super::records::CsvRecord;

/// The fields of one record, and the list that collects their violations.
pub(super) struct RecordFields<'a> {
    line: u64,
    columns: &'static [&'static str],
    record: CsvRecord<'a>,
    violations: &'a mut FileViolations,
}

impl<'a> RecordFields<'a> {
    /// The fields of the record that starts on `line`, in the order of `columns`.
    pub fn new(
        line: u64,
        columns: &'static [&'static str],
        record: CsvRecord<'a>,
        violations: &'a mut FileViolations,
    ) -> Self {
        Self {
            line,
            columns,
            record,
            violations,
        }
    }

    /// Parses the field in `column`. Returns `None` after recording a violation.
    ///
    /// Callers parse all fields of a record before they reject it, so that the report names every
    /// violation.
    pub fn read<T, E: Display>(
        &mut self,
        column: &'static str,
        read: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        let problem = match std::str::from_utf8(self.field(column)) {
            Ok(text) => match read(text) {
                Ok(value) => return Some(value),
                Err(problem) => problem.to_string(),
            },
            Err(_) => "must be UTF-8".to_owned(),
        };
        self.reject(column, problem);
        None
    }

    /// Records a violation of the field in `column`.
    pub fn reject(&mut self, column: &'static str, problem: impl Display) {
        let value = String::from_utf8_lossy(self.field(column));
        self.violations
            .push_field(self.line, column, value, problem);
    }

    fn field(&self, column: &str) -> &'a [u8] {
        let at = self.columns.iter().position(|name| *name == column);
        at.map_or(&[], |at| self.record.field(at))
    }
}
