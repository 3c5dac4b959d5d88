//! The status transitions are the same in the domain, the database and the documentation.

use order_service::domain::status::{OrderStatus, PaymentStatus, ShippingStatus, Status};
use sqlx::{AssertSqlSafe, PgConnection};

use crate::support::database::TestDatabase;

const PAGE: &str = include_str!("../../docs/architecture.md");

async fn compare<S: Status>(conn: &mut PgConnection, kind: &str) {
    for from in S::ALL {
        for to in S::ALL {
            let reached: bool = sqlx::query_scalar("select order_status_reaches($1, $2, $3)")
                .bind(kind)
                .bind(from.as_str())
                .bind(to.as_str())
                .fetch_one(&mut *conn)
                .await
                .unwrap();
            assert_eq!(reached, from.reaches(*to), "{kind}: {from} to {to}");
        }
    }
}

#[tokio::test]
async fn the_database_allows_the_transitions_of_the_domain() {
    let database = TestDatabase::new().await;
    let mut conn = database.connection().await;
    compare::<OrderStatus>(&mut conn, "order").await;
    compare::<PaymentStatus>(&mut conn, "payment").await;
    compare::<ShippingStatus>(&mut conn, "shipping").await;
}

/// The result of updating one status of an order with these three statuses.
async fn update(
    conn: &mut PgConnection,
    stands_at: [&str; 3],
    column: &str,
    to: &str,
) -> Result<(), sqlx::Error> {
    let order_id: i64 = sqlx::query_scalar(
        "insert into orders (customer_id, order_status, payment_status, shipping_status, currency,
            subtotal, tax, shipping_fee, order_total)
         values (5, $1, $2, $3, 'USD', 10, 0, 0, 10) returning order_id",
    )
    .bind(stands_at[0])
    .bind(stands_at[1])
    .bind(stands_at[2])
    .fetch_one(&mut *conn)
    .await
    .unwrap();
    let sql = format!("update orders set {column} = $2 where order_id = $1");
    sqlx::query(AssertSqlSafe(sql))
        .bind(order_id)
        .bind(to)
        .execute(conn)
        .await
        .map(|_| ())
}

#[tokio::test]
async fn the_database_refuses_backward_transitions() {
    let database = TestDatabase::new().await;
    let mut conn = database.connection().await;
    let stands_at = ["SHIPPED", "REFUNDED", "DELIVERED"];
    for (column, to) in [
        ("order_status", "CONFIRMED"),
        ("payment_status", "PAID"),
        ("shipping_status", "SHIPPED"),
    ] {
        let refused = update(&mut conn, stands_at, column, to).await.unwrap_err();
        let refused = refused.as_database_error().unwrap();
        assert_eq!(refused.constraint(), Some("orders_transitions"), "{column}");
    }
}

#[tokio::test]
async fn an_order_may_skip_statuses_forward() {
    let database = TestDatabase::new().await;
    let mut conn = database.connection().await;
    let stands_at = ["PENDING", "PENDING", "PENDING"];
    for (column, to) in [
        ("order_status", "DELIVERED"),
        ("payment_status", "REFUNDED"),
        ("shipping_status", "RETURNED"),
    ] {
        update(&mut conn, stands_at, column, to).await.unwrap();
    }
}

fn documented<S: Status>(heading: &str) {
    let section = PAGE.split(&format!("### {heading}\n")).nth(1).unwrap();
    let section = section.split("\n#").next().unwrap();
    let rows = section
        .lines()
        .filter(|line| line.starts_with("| `"))
        .count();
    assert_eq!(rows, S::ALL.len(), "{heading}");
    for status in S::ALL {
        let next: Vec<String> = status
            .next()
            .iter()
            .map(|next| format!("`{next}`"))
            .collect();
        let next = if next.is_empty() {
            "–".to_owned()
        } else {
            next.join(", ")
        };
        let row = format!("| `{status}` | {next} |");
        assert!(
            section.contains(&row),
            "docs/architecture.md lacks the row\n{row}"
        );
    }
}

#[test]
fn the_documentation_has_the_same_transition_tables() {
    documented::<OrderStatus>("Order status");
    documented::<PaymentStatus>("Payment status");
    documented::<ShippingStatus>("Shipping status");
}
