//! Locks that a migration waits for.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use order_service::db::migrations::{MigrationError, MigrationPolicy, MigrationProgress, migrate};
use sqlx::Executor as _;

use crate::support::app::TestApp;
use crate::support::client::cart;
use crate::support::service::eventually;

use super::{NEXT, run, with};

/// How many attempts at a lock a test waits for.
const ATTEMPTS: usize = 4;
/// More than a request waits for the database.
const PLACEMENT_LIMIT: Duration = Duration::from_secs(8);

#[tokio::test]
async fn placements_continue_while_a_migration_waits_for_its_lock() {
    let app = TestApp::start().await;
    let mut reader = app.database.connection().await;
    reader.execute("begin").await.unwrap();
    reader.execute("select * from orders").await.unwrap();

    let attempts = Arc::new(AtomicUsize::new(0));
    let migrating = tokio::spawn({
        let (options, attempts) = (app.database.options.clone(), attempts.clone());
        async move {
            let migrations = with(&["alter table orders add column note text"]);
            let mut count = |progress: MigrationProgress<'_>| {
                if progress.to_string().contains("waits for a lock") {
                    attempts.fetch_add(1, Ordering::Relaxed);
                }
            };
            let policy = MigrationPolicy::default();
            migrate(&options, &migrations, policy, &mut count).await
        }
    });
    let customer = app.customer(5);
    eventually("the migration has tried several times", async || {
        let whole_cart = cart("SKU0001", 1, "10.00");
        let placed = customer.place(&whole_cart);
        let placed = tokio::time::timeout(PLACEMENT_LIMIT, placed).await;
        let placed = placed.expect("a placement waits for the migration");
        assert_eq!(placed.status, 201, "{placed:?}");
        (attempts.load(Ordering::Relaxed) >= ATTEMPTS).then_some(())
    })
    .await;
    assert!(!migrating.is_finished());

    reader.execute("commit").await.unwrap();
    let summary = migrating.await.unwrap().unwrap();
    assert_eq!(summary.applied, [NEXT]);
    assert_eq!(
        customer.place(&cart("SKU0001", 1, "10.00")).await.status,
        201
    );
}

#[tokio::test]
async fn migration_gives_up_when_its_patience_ends() {
    let app = TestApp::start().await;
    let mut reader = app.database.connection().await;
    reader.execute("begin").await.unwrap();
    reader.execute("select * from orders").await.unwrap();
    let migrations = with(&["alter table orders add column note text"]);
    let policy = MigrationPolicy {
        patience: Duration::from_millis(500),
        ..MigrationPolicy::default()
    };
    let result = migrate(&app.database.options, &migrations, policy, &mut |_| {}).await;
    let error = result.unwrap_err();
    assert!(
        matches!(error, MigrationError::LockTimeout { version: NEXT, .. }),
        "{error:?}"
    );
    reader.execute("rollback").await.unwrap();
    let (result, _) = run(&app.database.options, &migrations).await;
    assert_eq!(result.unwrap().applied, [NEXT]);
}

#[tokio::test]
async fn failed_transaction_leaves_nothing_behind() {
    let app = TestApp::start().await;
    let migrations = with(&["create table notes (id bigint); select 1 / 0;"]);
    let (result, _) = run(&app.database.options, &migrations).await;
    let error = result.unwrap_err();
    assert!(
        matches!(error, MigrationError::Failed { version: NEXT, .. }),
        "{error:?}"
    );
    let mut conn = app.database.connection().await;
    let is_there: bool = sqlx::query_scalar("select to_regclass('notes') is not null")
        .fetch_one(&mut conn)
        .await
        .unwrap();
    assert!(!is_there);
}

#[tokio::test]
async fn named_tables_are_locked_before_any_work_is_done() {
    let app = TestApp::start().await;
    let mut reader = app.database.connection().await;
    reader.execute("create sequence attempts").await.unwrap();
    reader.execute("begin").await.unwrap();
    reader.execute("select * from orders").await.unwrap();
    // A sequence keeps its value after a rollback: it counts how often the work began.
    let migrations = with(&["-- lock: orders, order_items
        select nextval('attempts');
        alter table order_items add column note text;
        alter table orders add column note text;"]);
    let attempts = Arc::new(AtomicUsize::new(0));
    let migrating = tokio::spawn({
        let (options, attempts) = (app.database.options.clone(), attempts.clone());
        async move {
            let mut count = |progress: MigrationProgress<'_>| {
                if progress.to_string().contains("waits for a lock") {
                    attempts.fetch_add(1, Ordering::Relaxed);
                }
            };
            migrate(
                &options,
                &migrations,
                MigrationPolicy::default(),
                &mut count,
            )
            .await
        }
    });
    eventually("the migration has tried several times", async || {
        (attempts.load(Ordering::Relaxed) >= ATTEMPTS).then_some(())
    })
    .await;
    reader.execute("commit").await.unwrap();
    assert_eq!(migrating.await.unwrap().unwrap().applied, [NEXT]);
    let begun: i64 = sqlx::query_scalar("select last_value from attempts")
        .fetch_one(&mut reader)
        .await
        .unwrap();
    assert_eq!(begun, 1);
}
