//! Several migrators at once.

use std::time::Duration;

use futures_util::future::join_all;
use order_service::db::MIGRATIONS;
use order_service::db::migrations::{MigrationError, MigrationPolicy, migrate};
use sqlx::migrate::Migrate as _;

use crate::support::database::TestDatabase;

use super::{NEXT, empty_database, run, with};

/// Migrates an empty database by so many migrators at once.
async fn migrate_at_once(migrators: usize) {
    let database = empty_database().await;
    let migrations = with(&[
        "create table notes (id bigint primary key)",
        "-- no-transaction\ncreate index concurrently notes_idx on notes (id)",
    ]);
    let runs = (0..migrators).map(|_| run(&database.options, &migrations));
    let mut applied = Vec::new();
    let mut reports = Vec::new();
    for (result, lines) in join_all(runs).await {
        applied.extend(result.unwrap().applied);
        reports.extend(lines);
    }
    applied.sort_unstable();
    let versions: Vec<i64> = migrations.iter().map(|file| file.version).collect();
    assert_eq!(applied, versions, "each migration is applied once");
    let waiting = reports
        .iter()
        .filter(|line| line.contains("another migrator"))
        .count();
    assert_eq!(waiting, migrators - 1, "{reports:?}");
    let recorded = database.count("_sqlx_migrations").await;
    assert_eq!(usize::try_from(recorded), Ok(versions.len()));
}

#[tokio::test]
async fn two_migrators_apply_each_migration_once() {
    migrate_at_once(2).await;
}

#[tokio::test]
async fn five_migrators_apply_each_migration_once() {
    migrate_at_once(5).await;
}

#[tokio::test]
async fn migrator_waits_for_that_of_an_older_release() {
    let database = TestDatabase::new().await;
    let mut older = database.connection().await;
    older.lock().await.unwrap();
    let policy = MigrationPolicy {
        patience: Duration::from_millis(300),
        ..MigrationPolicy::default()
    };
    let result = migrate(&database.options, &MIGRATIONS, policy, &mut |_| {}).await;
    assert!(matches!(result, Err(MigrationError::Busy(_))), "{result:?}");
    older.unlock().await.unwrap();
    let (result, _) = run(&database.options, &with(&["create table notes ()"])).await;
    assert_eq!(result.unwrap().applied, [NEXT]);
}
