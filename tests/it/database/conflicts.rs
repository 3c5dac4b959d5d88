//! Serialization failures and deadlocks, which the service retries.

use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};

use crate::support::app::TestApp;
use crate::support::client::cart;
use crate::support::service::eventually;

/// Makes the first `times` rows written to a table fail with this SQLSTATE. A sequence counts them,
/// because it survives the rollback.
async fn fail(conn: &mut PgConnection, table: &str, code: &str, times: u32) {
    let sql = format!(
        "create sequence failures;
         create function fail() returns trigger language plpgsql as $$
         begin
             if nextval('failures') <= {times} then
                 raise exception 'gives way' using errcode = '{code}';
             end if;
             return new;
         end $$;
         create trigger fail before insert or update on {table} for each row execute function fail();"
    );
    conn.execute(AssertSqlSafe(sql)).await.unwrap();
}

async fn repair(conn: &mut PgConnection, table: &str) {
    let sql = format!("drop trigger fail on {table}; drop function fail(); drop sequence failures");
    conn.execute(AssertSqlSafe(sql)).await.unwrap();
}

async fn failures(conn: &mut PgConnection) -> i64 {
    sqlx::query_scalar("select last_value from failures")
        .fetch_one(conn)
        .await
        .unwrap()
}

#[tokio::test]
async fn a_conflicting_transaction_is_retried_and_succeeds() {
    for pooler in ["none", "transaction"] {
        let app = TestApp::with(&[("DATABASE_POOLER", pooler)]).await;
        give_way(&app).await;
    }
}

async fn give_way(app: &TestApp) {
    let mut conn = app.database.connection().await;
    for code in ["40001", "40P01", "55P03"] {
        // A placement, a progress update and a cancel request: each writes to one of these tables
        // first.
        for table in ["orders", "order_events", "fulfilments"] {
            fail(&mut conn, table, code, 3).await;
            let placed = app.customer(5).place(&cart("SKU0001", 1, "10.00")).await;
            assert_eq!(placed.status, 201, "{code} {table}: {placed:?}");
            let cancelled = app.customer(5).cancel(placed.order_id()).await;
            assert_eq!(cancelled.status, 200, "{code} {table}: {cancelled:?}");
            assert!(failures(&mut conn).await > 3, "{code} {table}");
            repair(&mut conn, table).await;
        }
    }
    assert_eq!(app.stored_orders().await, 9);
}

#[tokio::test]
async fn an_endless_conflict_is_a_503_without_effect() {
    let app = TestApp::start().await;
    let mut conn = app.database.connection().await;
    fail(&mut conn, "orders", "40001", u32::MAX).await;
    let placed = app
        .customer(5)
        .place_with_key("key-1", &cart("SKU0001", 1, "10.00"))
        .await;
    placed.assert_problem(503, "unavailable");
    assert_eq!(placed.header("retry-after"), Some("1"));
    assert_eq!(failures(&mut conn).await, 6);
    let metrics = app.anonymous().get("/metrics").await.text;
    let repeats = "db_repeats_total{reason=\"conflict\"} 5";
    assert!(metrics.contains(repeats), "{metrics}");
    assert_eq!(app.stored_orders().await, 0);
    repair(&mut conn, "orders").await;
    let placed = app
        .customer(5)
        .place_with_key("key-1", &cart("SKU0001", 1, "10.00"))
        .await;
    assert_eq!(placed.status, 201, "{placed:?}");
}

#[tokio::test]
async fn a_deadlock_victim_is_retried_and_succeeds() {
    let app = TestApp::with(&[("FOLLOW_INTERVAL_MS", "86400000")]).await;
    let placed = app.customer(5).place(&cart("SKU0001", 1, "10.00")).await;
    let order_id = placed.order_id();
    let mut conn = app.database.connection().await;
    // The service's session detects the deadlock and is its victim.
    conn.execute("set deadlock_timeout = '1h'").await.unwrap();
    let mut locks = conn.begin().await.unwrap();
    sqlx::query("select from orders where order_id = $1 for update")
        .bind(order_id)
        .execute(&mut *locks)
        .await
        .unwrap();
    let cancel = tokio::spawn({
        let customer = app.customer(5);
        async move { customer.cancel(order_id).await }
    });
    let mut watching = app.database.connection().await;
    eventually(
        "the service holds the saga and waits for the order",
        async || {
            let waits: bool = sqlx::query_scalar(
                "select exists (select from pg_stat_activity \
             where datname = current_database() and wait_event_type = 'Lock')",
            )
            .fetch_one(&mut watching)
            .await
            .unwrap();
            waits.then_some(())
        },
    )
    .await;
    let locked = sqlx::query("select from fulfilments where order_id = $1 for update")
        .bind(order_id)
        .execute(&mut *locks)
        .await;
    locked.unwrap();
    locks.commit().await.unwrap();
    let cancelled = cancel.await.unwrap();
    assert_eq!(cancelled.status, 200, "{cancelled:?}");
    eventually("it was a deadlock", async || {
        let deadlocks: i64 = sqlx::query_scalar(
            "select deadlocks from pg_stat_database where datname = current_database()",
        )
        .fetch_one(&mut watching)
        .await
        .unwrap();
        (deadlocks > 0).then_some(())
    })
    .await;
}
