//! How a migration file runs, by its first lines.

use std::fmt;

use sqlx::migrate::Migration;

/// The first line of a transaction that locks tables, followed by their names.
const LOCK: &str = "-- lock:";

/// The second line of a backfill.
const REPEAT: &str = "-- repeat until no rows";

/// How a migration runs. `-- no-transaction` on the first line, a header of sqlx, takes it out of a
/// transaction; then the file holds one statement, which must be safe to run again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode<'a> {
    /// All statements in one transaction: the default. `-- lock: orders, order_items` on the first line locks
    /// these tables before the first statement; name all that existing rows make slow, in the order in which
    /// a placement writes them.
    Transaction(Option<&'a str>),
    /// One statement outside a transaction.
    Statement,
    /// One statement with `concurrently` outside a transaction, other than the build of a named index.
    Concurrent,
    /// `create index concurrently` of an index, outside a transaction.
    ConcurrentIndex(&'a str),
    /// A backfill: `-- repeat until no rows` on the second line. The statement changes one batch of rows in
    /// a transaction of its own, and is repeated until it changes none. It must select only rows that are
    /// not done yet, so that a killed backfill resumes, and must not skip locked rows, which would end it
    /// early.
    Batches,
}

impl<'a> Mode<'a> {
    /// The mode of a migration.
    pub fn of(migration: &'a Migration) -> Self {
        let sql = migration.sql.as_str();
        if !migration.no_tx {
            let tables = sql.lines().next().and_then(|line| line.strip_prefix(LOCK));
            return Self::Transaction(tables.map(str::trim));
        }
        if sql.lines().nth(1).map(str::trim) == Some(REPEAT) {
            return Self::Batches;
        }
        match concurrent_index(sql) {
            Some(index) => Self::ConcurrentIndex(index),
            None if sql.to_ascii_lowercase().contains("concurrently") => Self::Concurrent,
            None => Self::Statement,
        }
    }
}

impl fmt::Display for Mode<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Transaction(None) => f.write_str("in a transaction"),
            Self::Transaction(Some(tables)) => write!(f, "in a transaction that locks {tables}"),
            Self::Statement | Self::Concurrent => f.write_str("outside a transaction"),
            Self::ConcurrentIndex(name) => write!(f, "builds the index {name} concurrently"),
            Self::Batches => f.write_str("in batches"),
        }
    }
}

/// The index that a statement builds concurrently, if it does.
fn concurrent_index(sql: &str) -> Option<&str> {
    let code = sql
        .lines()
        .filter(|line| !line.trim_start().starts_with("--"));
    let mut words = code.flat_map(str::split_whitespace).peekable();
    let mut takes = |word: &str| {
        words
            .next_if(|next| next.eq_ignore_ascii_case(word))
            .is_some()
    };
    if !takes("create") {
        return None;
    }
    takes("unique");
    if !(takes("index") && takes("concurrently")) {
        return None;
    }
    if takes("if") {
        takes("not");
        takes("exists");
    }
    words.next().filter(|name| !name.eq_ignore_ascii_case("on"))
}

#[cfg(test)]
mod tests {
    use sqlx::SqlSafeStr as _;
    use sqlx::migrate::MigrationType;

    use super::*;

    fn mode(sql: &'static str, expected: Mode<'_>) {
        let no_tx = sql.starts_with("-- no-transaction");
        let kind = MigrationType::Simple;
        let migration = Migration::new(1, "test".into(), kind, sql.into_sql_str(), no_tx);
        assert_eq!(Mode::of(&migration), expected, "{sql}");
    }

    #[test]
    fn first_lines_choose_how_a_migration_runs() {
        mode("create index a on b (c)", Mode::Transaction(None));
        mode(
            "-- lock: a, b\nalter table a add c integer",
            Mode::Transaction(Some("a, b")),
        );
        mode("-- no-transaction\nvacuum orders", Mode::Statement);
        for sql in [
            "-- no-transaction\ncreate index concurrently a_idx on a (b)",
            "-- no-transaction\n-- Why.\nCREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS a_idx\n  on a (b)",
        ] {
            mode(sql, Mode::ConcurrentIndex("a_idx"));
        }
        mode(
            "-- no-transaction\n-- repeat until no rows\nupdate a set b = 1 where b is null",
            Mode::Batches,
        );
        mode(
            "-- no-transaction\ncreate index concurrently on a (b)",
            Mode::Concurrent,
        );
    }
}
