//! Work whose client has disconnected.

use std::time::{Duration, Instant};

use reqwest::Method;
use sqlx::{Connection as _, Executor as _, PgConnection};

use crate::support::app::TestApp;
use crate::support::client::cart;
use crate::support::service::eventually;

/// The number of other connections in this condition.
async fn others(conn: &mut PgConnection, condition: &str) -> i64 {
    let sql = sqlx::AssertSqlSafe(format!(
        "select count(*) from pg_stat_activity where datname = current_database() \
         and pid <> pg_backend_pid() and {condition}"
    ));
    sqlx::query_scalar(sql).fetch_one(conn).await.unwrap()
}

#[tokio::test]
async fn a_disconnected_client_leaves_no_open_transaction() {
    let app = TestApp::with(&[
        ("DATABASE_POOLER", "transaction"),
        ("FOLLOW_INTERVAL_MS", "86400000"),
        ("POLL_INTERVAL_MS", "60000"),
    ])
    .await;
    let placed = app.customer(5).place(&cart("SKU0001", 1, "10.00")).await;
    let mut watching = app.database.connection().await;
    let mut conn = app.database.connection().await;
    let mut locks = conn.begin().await.unwrap();
    locks
        .execute("lock table orders in access exclusive mode")
        .await
        .unwrap();
    let path = format!("/v1/orders/{}/details/", placed.order_id());
    let asking = tokio::spawn(app.customer(5).request(Method::GET, &path).send());
    eventually("the service waits for the lock", async || {
        let waiting = others(&mut watching, "wait_event_type = 'Lock'").await;
        (waiting > 0).then_some(())
    })
    .await;
    asking.abort();
    assert!(asking.await.unwrap_err().is_cancelled());
    locks.commit().await.unwrap();
    let left_at = Instant::now();
    eventually("no transaction is left open", async || {
        let open = others(&mut watching, "xact_start is not null").await;
        (open == 0).then_some(())
    })
    .await;
    // The connection was not reused by another request in this state.
    assert!(
        left_at.elapsed() < Duration::from_secs(5),
        "{:?}",
        left_at.elapsed()
    );
    let details = app.customer(5).details(placed.order_id()).await;
    assert_eq!(details.status, 200, "{details:?}");
}
