//! PgBouncer in transaction mode between the service and PostgreSQL: each transaction may use
//! another server connection.

use futures_util::future::join_all;
use serde_json::json;

use crate::support::app::TestApp;
use crate::support::client::cart;
use crate::support::database::TestDatabase;
use crate::support::ledger::judge;
use crate::support::pgbouncer::PgBouncer;
use crate::support::service::eventually;

/// Fewer than the service's client connections.
const SERVER_CONNECTIONS: u32 = 3;
const CUSTOMERS: i64 = 6;
const TURNS: usize = 4;

/// Every action of a customer and of staff on one order. Returns its id.
async fn shop(app: &TestApp, number: i64, turn: usize) -> i64 {
    let (customer, staff) = (app.customer(number), app.staff());
    let (key, body) = (format!("{number}-{turn}"), cart("SKU0001", 1, "10.00"));
    let placed = customer.place_with_key(&key, &body).await;
    assert_eq!(placed.status, 201, "{placed:?}");
    let order_id = placed.order_id();
    let again = customer.place_with_key(&key, &body).await;
    assert_eq!((again.status, again.order_id()), (201, order_id));
    let details = customer.details(order_id).await;
    assert_eq!(details.body["order_status"], "CONFIRMED", "{details:?}");
    for list in [
        format!("/v1/orders/?page_size=5&search={order_id}&status_filter=CONFIRMED"),
        format!("/v1/orders/my-orders/{number}/"),
    ] {
        let found = customer.get(&list).await;
        assert_eq!(found.status, 200, "{found:?}");
        assert!(found.body["count"].as_i64().unwrap() > 0, "{found:?}");
    }
    let end = if turn.is_multiple_of(2) {
        let cancelled = customer.cancel(order_id).await;
        assert_eq!(cancelled.status, 200, "{cancelled:?}");
        "order_cancelled"
    } else {
        let path = format!("/v1/orders/{order_id}/update/");
        let news = json!({ "order_status": "SHIPPED" });
        let updated = staff.patch(&path, &news).await;
        assert_eq!(updated.status, 200, "{updated:?}");
        "order_shipped"
    };
    let history = customer.history(order_id).await;
    assert!(history.contains(&end.to_owned()), "{history:?}");
    let stuck = staff.get("/v1/ops/orders/stuck/").await;
    assert_eq!(stuck.body["results"], json!([]), "{stuck:?}");
    order_id
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_service_works_behind_a_transaction_mode_pooler() {
    let database = TestDatabase::new().await;
    let Some(pgbouncer) = PgBouncer::start(&database, SERVER_CONNECTIONS).await else {
        return;
    };
    let app = TestApp::reaching(
        database,
        &pgbouncer.url(),
        &[
            ("DATABASE_POOLER", "transaction"),
            ("FOLLOW_INTERVAL_MS", "86400000"),
        ],
    )
    .await;
    assert_eq!(app.anonymous().get("/health/ready/").await.status, 200);
    let customers = (1..=CUSTOMERS).map(async |number| {
        let mut placed = Vec::new();
        for turn in 0..TURNS {
            placed.push(shop(&app, number, turn).await);
        }
        placed
    });
    let placed = join_all(customers).await.concat();
    let orders = judge(&app.base, &app.sandbox, &placed).await;
    assert_eq!(orders.len(), placed.len());
    // No session state is left on the server for the next client.
    let mut conn = app.database.connection().await;
    eventually("no transaction is left open", async || {
        let open: i64 = sqlx::query_scalar(
            "select count(*) from pg_stat_activity \
             where datname = current_database() and state like 'idle in transaction%'",
        )
        .fetch_one(&mut conn)
        .await
        .unwrap();
        (open == 0).then_some(())
    })
    .await;
}
