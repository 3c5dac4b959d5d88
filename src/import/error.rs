//! What an import can end with, and how the rows that it rejects are told.

use std::fmt;
use std::sync::Arc;

/// How many faults are told; of the rest, how many there are.
const TOLD: usize = 20;
/// How much of a value is shown, in characters.
const SHOWN_CHARS: usize = 40;

/// Why nothing was imported.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file cannot be opened or read.
    #[error("cannot read {file}")]
    Read {
        /// The file, as it was named.
        file: Arc<str>,
        /// What the system says.
        source: std::io::Error,
    },
    /// The header of a file does not name every column that is needed, or one of them twice.
    #[error("{file}, line {line}: {problem}; the columns needed are {needed}")]
    Header {
        /// The file, as it was named.
        file: Arc<str>,
        /// The line of the header, from 1.
        line: u64,
        /// What is wrong with it.
        problem: String,
        /// The columns that the file must have.
        needed: String,
    },
    /// Rows that cannot be imported.
    #[error(transparent)]
    Rejected(#[from] Rejected),
    /// The database does not do its part.
    #[error("the database refused the import")]
    Database(#[from] sqlx::Error),
    /// The reading of a file was broken off.
    #[error("the reading of a file was broken off")]
    Interrupted(#[source] tokio::task::JoinError),
}

/// What is wrong with a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The file, as it was named.
    pub file: Arc<str>,
    /// The line on which the row begins, from 1.
    pub line: u64,
    /// The column, where it is not about the row as a whole.
    pub column: Option<&'static str>,
    /// What is wrong, with the value.
    pub problem: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, line {}", self.file, self.line)?;
        if let Some(column) = self.column {
            write!(f, ", column {column}")?;
        }
        write!(f, ": {}", self.problem)
    }
}

/// The faults for which an import was rejected.
#[derive(Debug, thiserror::Error)]
pub struct Rejected {
    /// The first faults, at least one.
    pub faults: Vec<Fault>,
    /// How many more there are.
    pub more: u64,
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, fault) in self.faults.iter().enumerate() {
            let separator = if at == 0 { "" } else { "\n" };
            write!(f, "{separator}{fault}")?;
        }
        match self.more {
            0 => Ok(()),
            more => write!(f, "\nand {more} more"),
        }
    }
}

/// The faults that were found in one part of a file.
#[derive(Debug)]
pub(super) struct Findings {
    file: Arc<str>,
    faults: Vec<Fault>,
}

impl Findings {
    /// None so far, in `file`.
    pub fn new(file: Arc<str>) -> Self {
        Self {
            file,
            faults: Vec::new(),
        }
    }

    /// Adds what is wrong with a value: `problem` goes on after it, as in "must be a number".
    pub fn value(
        &mut self,
        line: u64,
        column: &'static str,
        value: impl fmt::Display,
        problem: impl fmt::Display,
    ) {
        let problem = format!("{} {problem}", quoted(&value.to_string()));
        self.faults.push(Fault {
            file: Arc::clone(&self.file),
            line,
            column: Some(column),
            problem,
        });
    }

    /// Adds what is wrong with a whole row.
    pub fn row(&mut self, line: u64, problem: impl fmt::Display) {
        self.faults.push(Fault {
            file: Arc::clone(&self.file),
            line,
            column: None,
            problem: problem.to_string(),
        });
    }
}

/// All faults of an import, of which only the first are kept.
#[derive(Debug, Default)]
pub(super) struct Faults {
    told: Vec<Fault>,
    more: u64,
}

impl Faults {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.told.is_empty()
    }

    /// Adds the faults of the next part, by their lines.
    pub fn absorb(&mut self, mut findings: Findings) {
        findings.faults.sort_by_key(|fault| fault.line);
        for fault in findings.faults {
            if self.told.len() < TOLD {
                self.told.push(fault);
            } else {
                self.more += 1;
            }
        }
    }

    /// The rejection that follows from any fault.
    pub fn into_result(self) -> Result<(), Rejected> {
        if self.told.is_empty() {
            return Ok(());
        }
        Err(Rejected {
            faults: self.told,
            more: self.more,
        })
    }
}

/// A value between quotes, shortened and without anything that a terminal would act on.
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
