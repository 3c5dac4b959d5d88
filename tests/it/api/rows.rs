//! Orders inserted directly into the tables, for tests that need many or unusual ones.

use sqlx::types::time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::support::app::TestApp;

/// A settled order with one line and without a saga.
#[derive(Clone, Debug)]
pub struct Row {
    pub customer_id: i64,
    pub order_status: &'static str,
    pub payment_status: &'static str,
    pub shipping_status: &'static str,
    pub total: &'static str,
    pub created_at: &'static str,
    pub sku: &'static str,
    pub name: Option<&'static str>,
    pub product_id: Option<i64>,
    pub tracking_no: Option<&'static str>,
}

impl Default for Row {
    fn default() -> Self {
        Self {
            customer_id: 5,
            order_status: "CONFIRMED",
            payment_status: "PAID",
            shipping_status: "PENDING",
            total: "10.00",
            created_at: "2026-01-01T00:00:00Z",
            sku: "SKU0001",
            name: None,
            product_id: None,
            tracking_no: None,
        }
    }
}

impl Row {
    /// Inserts it and returns its id.
    pub async fn insert(&self, app: &TestApp) -> i64 {
        Self::insert_all(app, std::slice::from_ref(self)).await[0]
    }

    /// Inserts them on one connection and returns their ids, in ascending order.
    pub async fn insert_all(app: &TestApp, rows: &[Self]) -> Vec<i64> {
        let mut connection = app.database.connection().await;
        let mut numbers = Vec::new();
        for row in rows {
            let is_cancelled = matches!(row.order_status, "CANCELLING" | "CANCELLED");
            let created_at = OffsetDateTime::parse(row.created_at, &Rfc3339).unwrap();
            let number: i64 = sqlx::query_scalar(
                "with placed as (
                    insert into orders (customer_id, order_status, payment_status, shipping_status,
                        cancel_reason, currency, subtotal, tax, shipping_fee, order_total,
                        tracking_no, created_at)
                    values ($1, $2, $3, $4, $5, 'USD', $6::text::numeric, 0, 0, $6::text::numeric,
                        $7, $8)
                    returning order_id, order_total
                ), line as (
                    insert into order_items (order_id, product_id, sku, name, quantity, unit_price, line_total)
                    select order_id, $9, $10, $11, 1, order_total, order_total from placed
                ), event as (
                    insert into order_events (order_id, seq, code, actor)
                    select order_id, 1, 'order_placed', 'customer:' || $1 from placed
                )
                select order_id from placed",
            )
            .bind(row.customer_id)
            .bind(row.order_status)
            .bind(row.payment_status)
            .bind(row.shipping_status)
            .bind(is_cancelled.then_some("staff"))
            .bind(row.total)
            .bind(row.tracking_no)
            .bind(created_at)
            .bind(row.product_id)
            .bind(row.sku)
            .bind(row.name)
            .fetch_one(&mut connection)
            .await
            .unwrap();
            numbers.push(number);
        }
        numbers
    }
}
