//! `order-service migrate` and its options.

use order_service::db::MIGRATIONS;
use sqlx::Executor as _;

use crate::cli::{CommandResult, end, folder, order_service};
use crate::support::app::TestApp;
use crate::support::database::TestDatabase;

use super::empty_database;

async fn command(database: &TestDatabase, arguments: &[&str]) -> CommandResult {
    let folder = folder();
    let arguments = [&["migrate"], arguments].concat();
    let mut command = order_service(folder.path(), &arguments);
    command.env("DATABASE_URL", database.url());
    end(command).await
}

/// A row of a migration that only a newer release has.
async fn migrate_by_a_newer_release(database: &TestDatabase) {
    let sql = "insert into _sqlx_migrations (version, description, success, checksum, execution_time) \
        values (9999, 'from the future', true, '\\x00', 0)";
    database.connection().await.execute(sql).await.unwrap();
}

#[tokio::test]
async fn status_lists_applied_and_pending_migrations() {
    let database = TestDatabase::new().await;
    let latest = MIGRATIONS.iter().map(|file| file.version).max().unwrap();
    let mut conn = database.connection().await;
    sqlx::query("delete from _sqlx_migrations where version = $1")
        .bind(latest)
        .execute(&mut conn)
        .await
        .unwrap();
    conn.execute("update _sqlx_migrations set checksum = '\\x00' where version = 2")
        .await
        .unwrap();
    migrate_by_a_newer_release(&database).await;
    let status = command(&database, &["--status"]).await;
    assert_eq!(status.code, Some(0), "{status:?}");
    let lines: Vec<&str> = status.stdout.lines().collect();
    let year = "20";
    for (version, expected) in [
        ("0001", ["orders", "applied", year]),
        ("0002", ["periodic tasks", "CHECKSUM DIFFERS", year]),
        (&*format!("{latest:04}"), ["pending", "-", " "]),
        (
            "9999",
            ["from the future", "applied by a newer release", year],
        ),
    ] {
        let line = lines.iter().find(|line| line.starts_with(version));
        let line = line.unwrap_or_else(|| panic!("{version} is not in {status:?}"));
        for part in expected {
            assert!(line.contains(part), "{part} is not in {line}");
        }
    }
    assert_eq!(lines.len(), MIGRATIONS.iter().count() + 1, "{status:?}");
}

#[tokio::test]
async fn status_and_dry_run_change_nothing() {
    let database = empty_database().await;
    for arguments in [["--status"], ["--dry-run"]] {
        let shown = command(&database, &arguments).await;
        assert_eq!(shown.code, Some(0), "{shown:?}");
        assert_eq!(shown.stdout.lines().count(), MIGRATIONS.iter().count());
    }
    let dry_run = command(&database, &["--dry-run"]).await;
    let first = dry_run.stdout.lines().next();
    assert_eq!(first, Some("would apply 0001 orders, in a transaction"));
    let tables: i64 = sqlx::query_scalar(
        "select count(*) from pg_class where relnamespace = 'public'::regnamespace",
    )
    .fetch_one(&mut database.connection().await)
    .await
    .unwrap();
    assert_eq!(tables, 0);
}

#[tokio::test]
async fn dry_run_of_an_up_to_date_database_finds_nothing() {
    let database = TestDatabase::new().await;
    let dry_run = command(&database, &["--dry-run"]).await;
    assert_eq!(dry_run.stdout, "nothing to apply\n", "{dry_run:?}");
}

#[tokio::test]
async fn older_release_runs_on_a_newer_schema() {
    let app = TestApp::start().await;
    migrate_by_a_newer_release(&app.database).await;
    for arguments in [&[][..], &["--dry-run"]] {
        let migrated = command(&app.database, arguments).await;
        assert_eq!(migrated.code, Some(0), "{migrated:?}");
        let note = "note: a newer release has migrated this database up to 9999";
        assert!(migrated.stdout.contains(note), "{migrated:?}");
    }
    let ready = app.anonymous().get("/health/ready/").await;
    assert_eq!(ready.status, 200, "{ready:?}");
}

#[tokio::test]
async fn changed_migration_is_an_error() {
    let database = TestDatabase::new().await;
    let sql = "update _sqlx_migrations set checksum = '\\x00' where version = 2";
    database.connection().await.execute(sql).await.unwrap();
    for arguments in [&[][..], &["--dry-run"]] {
        let refused = command(&database, arguments).await;
        assert_eq!(refused.code, Some(1), "{refused:?}");
        let error = "migration 2 (periodic tasks) was changed after it was applied";
        assert!(refused.stderr.contains(error), "{refused:?}");
    }
}

#[tokio::test]
async fn unknown_migration_between_known_ones_is_an_error() {
    let database = TestDatabase::new().await;
    let sql = "update _sqlx_migrations set version = -1 where version = 2";
    database.connection().await.execute(sql).await.unwrap();
    let refused = command(&database, &[]).await;
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.stderr.contains("migration -1"), "{refused:?}");
}
