//! Many who ask for orders or histories at the same time: they are read together, and each gets their own.

use futures_util::future::join_all;
use sqlx::Connection as _;

use crate::support::app::TestApp;
use crate::support::client::cart;
use crate::support::service::eventually;

/// More than are read by one statement.
const CROWD: i64 = 100;
/// Two statements at a time, and two more whenever these are held up.
const FEW: i64 = CROWD / 10;

/// Has so many ask while nothing can be read, and sees how few statements they come to.
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
            let metrics = app.nobody().get("/metrics").await.text;
            let in_flight = format!("\nhttp_requests_in_flight {}\n", CROWD + 1);
            metrics.contains(&in_flight).then_some(())
        })
        .await;
        let waiting = "select count(*) from pg_stat_activity \
            where datname = current_database() and wait_event_type = 'Lock' \
            and query like '%left join order_items%'";
        let mut other = app.database.connection().await;
        let statements: i64 = sqlx::query_scalar(waiting)
            .fetch_one(&mut other)
            .await
            .unwrap();
        assert!((1..FEW).contains(&statements), "{statements} for a crowd");
        lock.rollback().await.unwrap();
    };
    tokio::join!(asking, looking);
}

#[tokio::test]
async fn a_crowd_is_read_together_and_everybody_gets_their_own() {
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
async fn a_crowd_that_looks_at_histories_is_read_together_and_everybody_gets_their_own() {
    let app = TestApp::start().await;
    // So many each, from none.
    for customer in 1..=3 {
        for _ in 0..customer {
            let cart = cart("SKU0001", 1, "10.00");
            app.customer(5 + customer).place(&cart).await;
        }
    }
    crowd(&app, async |number| {
        let (customer, size) = (5 + number % 4, 1 + number % 3);
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
async fn an_order_that_cannot_be_read_is_nobody_elses_trouble() {
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
