//! The errors of an import, and the violations for which it rejects rows.

use std::fmt;
use std::sync::Arc;

/// How many violations a report lists; of the others it gives the number.
const MAX_LISTED: usize = 20;
/// How much of an invalid value a violation shows, in characters.
const SHOWN_CHARS: usize = 40;

/// Why an import failed. The database is unchanged.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file cannot be opened or read.
    #[error("cannot read {file}")]
    Read {
        /// The name of the file, as given.
        file: Arc<str>,
        /// The error of the operating system.
        source: std::io::Error,
    },
    /// The header of a file lacks a required column or repeats one.
    #[error("{file}, line {line}: {problem}; the columns needed are {needed}")]
    Header {
        /// The name of the file, as given.
        file: Arc<str>,
        /// The line of the header, from 1.
        line: u64,
        /// The problem.
        problem: String,
        /// The required columns, separated by commas.
        needed: String,
    },
    /// At least one row violates the rules of the import.
    #[error(transparent)]
    Rejected(#[from] RejectedRows),
    /// A database error.
    #[error("the database refused the import")]
    Database(#[from] sqlx::Error),
    /// The task that reads a file panicked or was cancelled.
    #[error("reading the file was interrupted")]
    Interrupted(#[source] tokio::task::JoinError),
}

/// A violation: why a row cannot be imported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowViolation {
    /// The name of the file, as given.
    pub file: Arc<str>,
    /// The line on which the row starts, from 1.
    pub line: u64,
    /// The column; `None` if the violation concerns the whole row.
    pub column: Option<&'static str>,
    /// The problem, with the invalid value.
    pub problem: String,
}

impl fmt::Display for RowViolation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, line {}", self.file, self.line)?;
        if let Some(column) = self.column {
            write!(f, ", column {column}")?;
        }
        write!(f, ": {}", self.problem)
    }
}

/// The violations for which an import was rejected.
#[derive(Debug, thiserror::Error)]
pub struct RejectedRows {
    /// The first violations, at least one.
    pub violations: Vec<RowViolation>,
    /// The number of further violations.
    pub more: u64,
}

impl fmt::Display for RejectedRows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, violation) in self.violations.iter().enumerate() {
            let separator = if at == 0 { "" } else { "\n" };
            write!(f, "{separator}{violation}")?;
        }
        match self.more {
            0 => Ok(()),
            more => write!(f, "\nand {more} more"),
        }
    }
}

/// The violations found in one batch or review of a file.
#[derive(Debug)]
pub(super) struct FileViolations {
    file: Arc<str>,
    violations: Vec<RowViolation>,
}

impl FileViolations {
    /// No violations yet, in `file`.
    pub fn new(file: Arc<str>) -> Self {
        Self {
            file,
            violations: Vec::new(),
        }
    }

    /// Adds a violation of one field. `problem` continues a sentence that starts with the value, as in
    /// "must be a number".
    pub fn push_field(
        &mut self,
        line: u64,
        column: &'static str,
        value: impl fmt::Display,
        problem: impl fmt::Display,
    ) {
        let problem = format!("{} {problem}", quoted(&value.to_string()));
        self.violations.push(RowViolation {
            file: Arc::clone(&self.file),
            line,
            column: Some(column),
            problem,
        });
    }

    /// Adds a violation of a whole row.
    pub fn push_row(&mut self, line: u64, problem: impl fmt::Display) {
        self.violations.push(RowViolation {
            file: Arc::clone(&self.file),
            line,
            column: None,
            problem: problem.to_string(),
        });
    }
}

/// All violations of an import: the first [`MAX_LISTED`], and the number of the others.
#[derive(Debug, Default)]
pub(super) struct ImportViolations {
    listed: Vec<RowViolation>,
    more: u64,
}

impl ImportViolations {
    /// Whether the import has no violation.
    pub fn is_empty(&self) -> bool {
        self.listed.is_empty()
    }

    /// Adds the violations of the next batch, sorted by line.
    pub fn absorb(&mut self, mut found: FileViolations) {
        found.violations.sort_by_key(|violation| violation.line);
        for violation in found.violations {
            if self.listed.len() < MAX_LISTED {
                self.listed.push(violation);
            } else {
                self.more += 1;
            }
        }
    }

    /// Fails if the import has a violation.
    pub fn into_result(self) -> Result<(), RejectedRows> {
        if self.listed.is_empty() {
            return Ok(());
        }
        Err(RejectedRows {
            violations: self.listed,
            more: self.more,
        })
    }
}

/// The value in quotes, shortened, with control characters escaped so that a terminal ignores them.
fn quoted(value: &str) -> String {
    let mut shown = String::from("\"");
    let mut chars = value.chars();
    for char in chars.by_ref().take(SHOWN_CHARS) {
        match char {
            '\'' => shown.push(char),
            _ => shown.extend(char.escape_debug()),
        }
    }
    if chars.next().is_some() {
        shown.push('…');
    }
    shown.push('"');
    shown
}
