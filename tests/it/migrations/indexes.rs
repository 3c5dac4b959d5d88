//! Indexes that are built concurrently.

use order_service::db::migrations::MigrationError;
use sqlx::{Executor as _, PgConnection};

use crate::support::app::TestApp;
use crate::support::client::cart;
use crate::support::database::TestDatabase;
use crate::support::service::eventually;

use super::{NEXT, run, with};

const BUILD: &str = "-- no-transaction\n\
    create unique index concurrently periodic_tasks_epoch_key on periodic_tasks (epoch)";

/// Whether the index is valid, if it is there.
async fn is_valid(conn: &mut PgConnection) -> Option<bool> {
    sqlx::query_scalar(
        "select indisvalid from pg_index \
         where indexrelid = to_regclass('periodic_tasks_epoch_key')::oid",
    )
    .fetch_optional(conn)
    .await
    .unwrap()
}

#[tokio::test]
async fn invalid_index_of_a_failed_build_is_built_again() {
    let database = TestDatabase::new().await;
    let mut conn = database.connection().await;
    conn.execute("insert into periodic_tasks (name) values ('duplicate epoch')")
        .await
        .unwrap();
    let migrations = with(&[BUILD]);
    let (failed, _) = run(&database.options, &migrations).await;
    let error = failed.unwrap_err();
    assert!(
        matches!(error, MigrationError::Failed { version: NEXT, .. }),
        "{error:?}"
    );
    assert_eq!(is_valid(&mut conn).await, Some(false));

    conn.execute("delete from periodic_tasks where name = 'duplicate epoch'")
        .await
        .unwrap();
    let (built, reports) = run(&database.options, &migrations).await;
    assert_eq!(built.unwrap().applied, [NEXT]);
    assert_eq!(is_valid(&mut conn).await, Some(true));
    let dropped = "drops the invalid index periodic_tasks_epoch_key";
    assert!(reports.iter().any(|line| line == dropped), "{reports:?}");
}

#[tokio::test]
async fn valid_index_without_a_record_is_only_recorded() {
    let database = TestDatabase::new().await;
    let mut conn = database.connection().await;
    conn.execute(BUILD).await.unwrap();
    let (result, _) = run(&database.options, &with(&[BUILD])).await;
    assert_eq!(result.unwrap().applied, [NEXT]);
}

#[tokio::test]
async fn placements_continue_while_an_index_build_waits() {
    let app = TestApp::start().await;
    let mut writer = app.database.connection().await;
    writer.execute("begin").await.unwrap();
    writer
        .execute("lock table orders in row exclusive mode")
        .await
        .unwrap();
    let building = tokio::spawn({
        let options = app.database.options.clone();
        async move {
            let sql = "-- no-transaction\ncreate index concurrently notes_idx on orders (version)";
            let migrations = with(&[sql]);
            // Two of them: the second polls, which must not hold up the first.
            tokio::join!(run(&options, &migrations), run(&options, &migrations))
        }
    });
    let mut conn = app.database.connection().await;
    eventually("the build waits for the transaction", async || {
        let waiting = sqlx::query_scalar::<_, bool>(
            "select exists (select from pg_stat_progress_create_index \
             where datname = current_database() and phase like 'waiting for%')",
        );
        let is_waiting = waiting.fetch_one(&mut conn).await.unwrap();
        is_waiting.then_some(())
    })
    .await;
    let customer = app.customer(5);
    for _ in 0..3 {
        let placed = customer.place(&cart("SKU0001", 1, "10.00")).await;
        assert_eq!(placed.status, 201, "{placed:?}");
    }
    assert!(!building.is_finished());
    writer.execute("commit").await.unwrap();
    let (first, second) = building.await.unwrap();
    let applied = [first.0.unwrap().applied, second.0.unwrap().applied].concat();
    assert_eq!(applied, [NEXT]);
}
