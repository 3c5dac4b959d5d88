//! Backfills in batches.

use crate::support::database::TestDatabase;
use order_service::db::migrations::{MigrationPolicy, MigrationProgress, migrate};

use super::{NEXT, run, with};

const ROWS: i64 = 1000;
const TABLE: &str = "create table notes (id bigint primary key, done_by bigint);
    insert into notes (id) select * from generate_series(1, 1000)";
const BACKFILL: &str = "-- no-transaction
-- repeat until no rows
update notes set done_by = pg_backend_pid()
where id in (select id from notes where done_by is null order by id limit 90)";

#[tokio::test]
async fn backfill_runs_in_batches_and_reports_progress() {
    let database = TestDatabase::new().await;
    let (result, reports) = run(&database.options, &with(&[TABLE, BACKFILL])).await;
    assert_eq!(result.unwrap().applied, [NEXT, NEXT + 1]);
    let batches: Vec<&String> = reports
        .iter()
        .filter(|line| line.contains(" batches"))
        .collect();
    assert_eq!(batches.len(), 12, "{reports:?}");
    assert_eq!(batches[0], "9002 90 rows in 1 batches");
    assert_eq!(batches[11], "9002 1000 rows in 12 batches");
}

#[tokio::test]
async fn killed_backfill_resumes_where_it_ended() {
    let database = TestDatabase::new().await;
    let migrations = with(&[TABLE, BACKFILL]);
    let killed = tokio::spawn({
        let options = database.options.clone();
        async move {
            let mut report = |progress: MigrationProgress<'_>| {
                let third = matches!(progress, MigrationProgress::Batch { batches: 3, .. });
                assert!(!third, "this kills the migrator, which is expected");
            };
            let migrations = with(&[TABLE, BACKFILL]);
            let policy = MigrationPolicy::default();
            migrate(&options, &migrations, policy, &mut report).await
        }
    });
    assert!(killed.await.unwrap_err().is_panic());
    let mut conn = database.connection().await;
    let done = "select count(*) from notes where done_by is not null";
    let done: i64 = sqlx::query_scalar(done).fetch_one(&mut conn).await.unwrap();
    assert_eq!(done, 270, "three batches are committed");

    let (result, reports) = run(&database.options, &migrations).await;
    assert_eq!(result.unwrap().applied, [NEXT + 1]);
    assert!(
        reports.contains(&"9002 730 rows in 9 batches".to_owned()),
        "{reports:?}"
    );
    let counts: Vec<i64> = sqlx::query_scalar(
        "select count(*) from notes where done_by is not null group by done_by order by 1",
    )
    .fetch_all(&mut conn)
    .await
    .unwrap();
    assert_eq!(counts, [270, ROWS - 270], "no row is changed twice");
}
