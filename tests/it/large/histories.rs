//! The first pages of many customers' lists in one batched statement.

use order_service::db::Error;
use order_service::db::order_list::{OrderListPage, list};
use order_service::db::recent_orders::{RecentOrders, recent_orders};
use order_service::domain::ids::CustomerId;
use order_service::domain::search::{OrderFilter, OrderListQuery, PagePosition, SortBy, SortDir};
use sqlx::{Executor as _, PgConnection};

use crate::support::database::TestDatabase;

use super::{explain, explaining, told};

/// The search of a customer who views their own orders.
pub(super) fn history(customer: i64) -> OrderListQuery {
    OrderListQuery {
        filter: OrderFilter {
            customer_id: Some(CustomerId(customer)),
            ..OrderFilter::default()
        },
        sort_by: SortBy::CreatedAt,
        sort_dir: SortDir::Desc,
        position: PagePosition::First,
        size: 20,
    }
}

/// Reads the lists of these customers in one batch.
pub(super) async fn asked_by(
    conn: &mut PgConnection,
    customers: &[i64],
) -> Result<Vec<OrderListPage>, Error> {
    let asked = customers.iter().map(|customer| history(*customer));
    let asked: Vec<_> = asked
        .filter_map(|search| RecentOrders::of(&search))
        .collect();
    recent_orders(conn, &asked).await
}

/// With few customers, a scan of all orders looks cheap to the planner; for a customer without
/// orders it would never stop early.
#[tokio::test]
async fn batched_lists_use_the_index_on_customers() {
    let database = TestDatabase::new().await;
    let mut conn = database.connection().await;
    for sql in [
        "insert into orders (customer_id, order_status, payment_status, shipping_status, currency, \
            subtotal, tax, shipping_fee, order_total, created_at) \
         select 1 + number % 4, 'CONFIRMED', 'PAID', 'PENDING', 'USD', 10, 0, 0, 10, \
            now() - number * interval '1 s' \
         from generate_series(1, 20000) number",
        "vacuum analyze orders",
        "set plan_cache_mode = force_generic_plan",
    ] {
        conn.execute(sql).await.unwrap();
    }
    explain(&mut conn).await;
    let told = told(asked_by(&mut conn, &[1, 99])).await;
    let index = "Index Scan Backward using orders_customer_created_idx";
    assert!(told.contains(index), "{told}");
    assert!(!told.contains("Rows Removed by Filter"), "{told}");
}

#[tokio::test]
async fn batched_lists_equal_separate_ones() {
    let (mut conn, _) = explaining().await;
    let searches: Vec<_> = [(1, 20), (2, 3), (1, 1), (0, 20), (77, 100)]
        .map(|(customer, size)| OrderListQuery {
            size,
            ..history(customer)
        })
        .into();
    let asked: Vec<_> = searches.iter().filter_map(RecentOrders::of).collect();
    let together = recent_orders(&mut conn, &asked).await.unwrap();
    assert_eq!(together.len(), searches.len());
    for (search, found) in searches.iter().zip(together) {
        let alone = list(&mut conn, search).await.unwrap();
        assert_eq!(found, alone, "{search:?}");
    }
}
