//! The batcher: concurrent reads of orders and lists share statements, and each request gets its
//! own result.

use futures_util::future::join_all;
use serde_json::json;
use sqlx::{Connection as _, PgConnection};

use crate::support::app::TestApp;
use crate::support::client::cart;
use crate::support::service::eventually;

/// More than one batch.
const CROWD: i64 = 100;

/// Sends the requests while the database is blocked, so that they form batches.
async fn crowd(app: &TestApp, ask: impl AsyncFn(i64)) {
    let mut conn = app.database.connection().await;
    let mut lock = conn.begin().await.unwrap();
    sqlx::query("lock table orders in access exclusive mode")
        .execute(&mut *lock)
        .await
        .unwrap();
    let asking = join_all((0..CROWD).map(|number| ask(number)));
    let looking = async {
        eventually("all have come", async || {
            let metrics = app.anonymous().get("/metrics").await.text;
            let in_flight = format!("\nhttp_requests_in_flight {}\n", CROWD + 1);
            metrics.contains(&in_flight).then_some(())
        })
        .await;
        lock.rollback().await.unwrap();
    };
    tokio::join!(asking, looking);
}

#[tokio::test]
async fn concurrent_reads_are_batched_and_answered_separately() {
    let app = TestApp::start().await;
    let mine = app.customer(5).place(&cart("SKU0001", 1, "10.00")).await;
    let theirs = app.customer(6).place(&cart("SKU0002", 2, "20.00")).await;
    let (mine, theirs) = (mine.order_id(), theirs.order_id());
    crowd(&app, async |number| {
        let customer = app.customer(5 + number % 2);
        let asked = if number % 4 < 2 { mine } else { theirs };
        let reply = customer.details(asked).await;
        let is_own = (asked == mine) == (number % 2 == 0);
        match is_own {
            true => assert_eq!(reply.order_id(), asked, "{reply:?}"),
            false => reply.assert_problem(404, "not-found"),
        }
    })
    .await;
}

#[tokio::test]
async fn concurrent_lists_are_batched_and_answered_separately() {
    let app = TestApp::start().await;
    // Customers with one, two and three orders; another customer has none.
    for customer in 1..=3 {
        for _ in 0..customer {
            let cart = cart("SKU0001", 1, "10.00");
            app.customer(5 + customer).place(&cart).await;
        }
    }
    crowd(&app, async |number| {
        // Several statements are needed.
        let (customer, size) = (5 + number % 4, 1 + number % 7);
        let path = format!("/v1/orders/my-orders/{customer}/?page_size={size}");
        let page = app.customer(customer).get(&path).await.body;
        assert_eq!(page["count"], customer - 5, "{page}");
        let orders = page["results"].as_array().unwrap();
        assert_eq!(
            orders.len(),
            usize::try_from((customer - 5).min(size)).unwrap()
        );
        assert!(
            orders.iter().all(|order| order["customer_id"] == customer),
            "{page}"
        );
        assert_eq!(page["next"].is_string(), customer - 5 > size, "{page}");
    })
    .await;
}

#[tokio::test]
async fn an_unreadable_order_fails_only_its_own_request() {
    let app = TestApp::start().await;
    let good = app.customer(5).place(&cart("SKU0001", 1, "10.00")).await;
    let bad = app.customer(5).place(&cart("SKU0001", 1, "10.00")).await;
    let mut conn = app.database.connection().await;
    sqlx::query("update orders set currency = 'QQQ' where order_id = $1")
        .bind(bad.order_id())
        .execute(&mut conn)
        .await
        .unwrap();
    let ask = async |number: i64| {
        let (order, status) = match number % 2 {
            0 => (&good, 200),
            _ => (&bad, 500),
        };
        let reply = app.customer(5).details(order.order_id()).await;
        assert_eq!(reply.status, status, "{reply:?}");
    };
    join_all((0..CROWD).map(ask)).await;
    let reply = app.customer(5).details(good.order_id() + 1000).await;
    reply.assert_problem(404, "not-found");
}

#[tokio::test]
async fn an_unreadable_list_fails_only_its_own_request() {
    let app = TestApp::start().await;
    for customer in [5, 6, 6] {
        let cart = cart("SKU0001", 1, "10.00");
        app.customer(customer).place(&cart).await;
    }
    let mut conn = app.database.connection().await;
    // The older of two orders.
    sqlx::query("update orders set currency = 'QQQ' where order_id = 2")
        .execute(&mut conn)
        .await
        .unwrap();
    join_all((0..CROWD).map(async |number| {
        let (customer, size, status) =
            [(5, 20, 200), (6, 20, 500), (6, 1, 200)][number as usize % 3];
        let path = format!("/v1/orders/my-orders/{customer}/?page_size={size}");
        let reply = app.customer(customer).get(&path).await;
        assert_eq!(reply.status, status, "{reply:?}");
    }))
    .await;
}

#[tokio::test]
async fn a_list_beyond_the_count_limit_says_so() {
    let app = TestApp::start().await;
    let placed = app.customer(5).place(&cart("SKU0001", 1, "10.00")).await;
    let mut conn = app.database.connection().await;
    let more = async |conn: &mut PgConnection, count: i32| {
        sqlx::query(
            "insert into orders (customer_id, order_status, payment_status, shipping_status, currency, \
                subtotal, tax, shipping_fee, order_total) \
             select customer_id, order_status, payment_status, shipping_status, currency, \
                subtotal, tax, shipping_fee, order_total \
             from orders, generate_series(1, $2) where order_id = $1",
        )
        .bind(placed.order_id())
        .bind(count)
        .execute(conn)
        .await
        .unwrap();
    };
    for (added, count, is_capped) in [(0, 1, false), (9_999, 10_000, false), (1, 10_000, true)] {
        more(&mut conn, added).await;
        let page = app.customer(5).get("/v1/orders/my-orders/5/").await.body;
        assert_eq!(
            (&page["count"], &page["count_capped"]),
            (&json!(count), &json!(is_capped)),
            "{added} more"
        );
    }
}
