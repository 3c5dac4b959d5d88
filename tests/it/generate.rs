//! Generated orders: as consistent as placed ones, and reproducible.

use order_service::domain::money::Currency;
use order_service::generate::{Error, GenerateOptions, generate};
use sqlx::PgConnection;
use time::macros::datetime;

use crate::support::app::TestApp;
use crate::support::database::TestDatabase;

fn options(orders: u64) -> GenerateOptions {
    GenerateOptions {
        orders,
        customers: 50,
        seed: 7,
        until: datetime!(2026-11-22 00:00 UTC),
        currency: Currency::from_code("USD").unwrap(),
        add: false,
    }
}

/// A digest of all generated rows.
async fn digest(conn: &mut PgConnection) -> Vec<String> {
    let mut digests = Vec::new();
    for sql in [
        "select md5(string_agg(o::text, '' order by order_id)) from orders o",
        "select md5(string_agg(i::text, '' order by order_item_id)) from order_items i",
        "select md5(string_agg(e::text, '' order by order_id, seq)) from order_events e",
        "select md5(string_agg((identity, phase, step, due_at)::text, '' order by order_id)) from fulfilments",
    ] {
        digests.push(sqlx::query_scalar(sql).fetch_one(&mut *conn).await.unwrap());
    }
    digests
}

#[tokio::test]
async fn the_seed_determines_the_generated_orders() {
    let mut digests = Vec::new();
    for seed in [7, 7, 8] {
        let database = TestDatabase::new().await;
        let mut conn = database.connection().await;
        let options = GenerateOptions {
            seed,
            ..options(500)
        };
        generate(&mut conn, options, &mut |_| {}).await.unwrap();
        digests.push(digest(&mut conn).await);
    }
    assert_eq!(digests[0], digests[1]);
    for (one, other) in digests[0].iter().zip(&digests[2]) {
        assert_ne!(one, other);
    }
}

#[tokio::test]
async fn generated_orders_are_consistent_and_tables_unchanged() {
    let database = TestDatabase::new().await;
    let mut conn = database.connection().await;
    let schema = "select string_agg(definition, ' ' order by definition) from (
        select pg_get_indexdef(indexrelid) as definition from pg_index
            where indrelid::regclass::text !~ '^pg_'
        union all select conname || pg_get_constraintdef(oid) from pg_constraint) definitions";
    let before: String = sqlx::query_scalar(schema)
        .fetch_one(&mut conn)
        .await
        .unwrap();
    generate(&mut conn, options(3_000), &mut |_| {})
        .await
        .unwrap();
    let after: String = sqlx::query_scalar(schema)
        .fetch_one(&mut conn)
        .await
        .unwrap();
    assert_eq!(before, after);
    for wrong in [
        "select count(*) from orders o where subtotal <>
            (select sum(line_total) from order_items i where i.order_id = o.order_id)",
        "select count(*) from orders o where version <>
            (select count(*) from order_events e where e.order_id = o.order_id and seq <= version)",
        "select count(*) from orders o where not exists
            (select from fulfilments f where f.order_id = o.order_id
                and (f.phase = 'undone') = (o.order_status = 'CANCELLED'))",
        "select count(*) from order_items i where not exists
            (select from item_terms t where t.sku = i.sku and t.name = i.name)",
        "select count(*) from orders o where (payment_status in ('FAILED', 'REFUNDED')) <> exists
            (select from rare_statuses r where r.order_id = o.order_id and r.status like 'payment:%')",
        "select count(*) from orders where created_at > '2026-11-22Z' or created_at < '2023-11-22Z'",
        "select abs(3000 - count(*)) from orders",
    ] {
        let wrong_ones: i64 = sqlx::query_scalar(wrong).fetch_one(&mut conn).await.unwrap();
        assert_eq!(wrong_ones, 0, "{wrong}");
    }
}

#[tokio::test]
async fn generate_keeps_existing_orders_unless_told_otherwise() {
    let app = TestApp::start().await;
    let placed = app
        .customer(5)
        .place(&crate::support::client::cart("A", 1, "1.00"))
        .await;
    let mut conn = app.database.connection().await;
    let refused = generate(&mut conn, options(10), &mut |_| {}).await;
    assert!(matches!(refused, Err(Error::NotEmpty)));
    assert_eq!(app.stored_orders().await, 1);
    let add = GenerateOptions {
        add: true,
        ..options(10)
    };
    generate(&mut conn, add, &mut |_| {}).await.unwrap();
    assert_eq!(app.stored_orders().await, 11);
    let next = app
        .customer(5)
        .place(&crate::support::client::cart("A", 1, "1.00"))
        .await;
    assert!(next.order_id() > placed.order_id() + 10);
}
