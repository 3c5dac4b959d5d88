//! Migrations on a real PostgreSQL, while the service works on the tables.

mod backfills;
mod command;
mod indexes;
mod locks;
mod migrators;

use std::time::Duration;

use order_service::db::migrations::{
    MIGRATIONS, MigrationError, MigrationPolicy, MigrationProgress, MigrationSummary, migrate,
};
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::postgres::PgConnectOptions;
use sqlx::{Executor as _, SqlSafeStr as _};

use crate::support::database::TestDatabase;

/// The version of the first migration that a test adds.
const NEXT: i64 = 9001;

/// The migrations of the program, and further ones of a test.
fn with(extra: &[&'static str]) -> Migrator {
    let extra = (NEXT..).zip(extra).map(|(version, &sql)| {
        let no_tx = sql.starts_with("-- no-transaction");
        let kind = MigrationType::Simple;
        Migration::new(version, "of a test".into(), kind, sql.into_sql_str(), no_tx)
    });
    Migrator::with_migrations(MIGRATIONS.iter().cloned().chain(extra).collect())
}

/// Runs migrations, and gives every report as a line.
async fn run(
    options: &PgConnectOptions,
    migrations: &Migrator,
) -> (Result<MigrationSummary, MigrationError>, Vec<String>) {
    let mut reports = Vec::new();
    let mut report = |progress: MigrationProgress<'_>| reports.push(progress.to_string());
    let policy = MigrationPolicy {
        longest_pause: Duration::from_millis(500),
        ..MigrationPolicy::default()
    };
    let result = migrate(options, migrations, policy, &mut report).await;
    (result, reports)
}

/// A database without tables.
async fn empty_database() -> TestDatabase {
    let database = TestDatabase::new().await;
    let mut conn = database.connection().await;
    for sql in ["drop schema public cascade", "create schema public"] {
        conn.execute(sql).await.unwrap();
    }
    database
}
