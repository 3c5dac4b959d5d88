//! The rows of the file of orders.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use rust_decimal::Decimal;
use sqlx::PgConnection;
use time::OffsetDateTime;

use super::batch::{ImportRow, RowBatch, RowCounts, differing};
use super::error::{Error, FileViolations};
use super::fields::RecordFields;
use super::progress::ImportStage;
use super::statuses::{self, ImportedStatuses};
use super::values;
use crate::domain::cancel_reason::CancelReason;
use crate::domain::event::{Actor, OrderEvent};
use crate::domain::money::{Currency, Money};
use crate::domain::status::Status;

/// An order of the earlier shop.
pub(super) struct OrderRow {
    order_id: i64,
    customer_id: i64,
    statuses: ImportedStatuses,
    order_total: Money,
    created_at: OffsetDateTime,
}

/// The immutable columns of an order that exists already.
#[derive(sqlx::FromRow)]
struct ExistingOrder {
    order_id: i64,
    customer_id: i64,
    order_total: Decimal,
    currency: String,
    created_at: OffsetDateTime,
}

impl ImportRow for OrderRow {
    const STAGE: ImportStage = ImportStage::Orders;
    const COLUMNS: &'static [&'static str] = &[
        "order_id",
        "customer_id",
        "order_status",
        "payment_status",
        "order_total",
        "created_at",
    ];

    fn read(fields: &mut RecordFields<'_>, currency: Currency) -> Option<Self> {
        let order_id = fields.read("order_id", values::id);
        let customer_id = fields.read("customer_id", values::id);
        let order_status = fields.read("order_status", statuses::order);
        let payment_status = fields.read("payment_status", statuses::payment);
        let order_total = fields.read("order_total", |text| values::amount(text, currency));
        let created_at = fields.read("created_at", values::timestamp);
        let statuses = statuses::imported(order_status?, payment_status?)
            .map_err(|problem| fields.reject("payment_status", problem));
        Some(Self {
            order_id: order_id?,
            customer_id: customer_id?,
            statuses: statuses.ok()?,
            order_total: order_total?,
            created_at: created_at?,
        })
    }

    fn id(&self) -> i64 {
        self.order_id
    }

    fn order_id(&self) -> i64 {
        self.order_id
    }

    async fn write(
        conn: &mut PgConnection,
        batch: &mut RowBatch<Self>,
        currency: Currency,
    ) -> Result<RowCounts, Error> {
        let new = insert(conn, batch, currency).await?;
        if new.len() < batch.rows.len() {
            reject_changed(conn, batch, &new, currency).await?;
        }
        Ok(RowCounts::of(batch, new.len()))
    }

    async fn review(_: &mut PgConnection, file: Arc<str>) -> Result<FileViolations, Error> {
        Ok(FileViolations::new(file))
    }
}

/// Inserts the orders that do not exist yet, each with its one event, and returns their ids.
async fn insert(
    conn: &mut PgConnection,
    batch: &RowBatch<OrderRow>,
    currency: Currency,
) -> Result<HashSet<i64>, Error> {
    let new: Vec<i64> = sqlx::query_scalar(
        "with new as (
            insert into orders (order_id, customer_id, order_status, payment_status,
                shipping_status, cancel_reason, currency, subtotal, tax, shipping_fee, order_total,
                created_at, updated_at)
            select order_id, customer_id, order_status, payment_status,
                shipping_status, cancel_reason, $9, order_total, 0, 0, order_total,
                created_at, created_at
            from unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[],
                $7::numeric[], $8::timestamptz[])
                as row (order_id, customer_id, order_status, payment_status, shipping_status,
                    cancel_reason, order_total, created_at)
            on conflict (order_id) do nothing
            returning order_id, created_at
        ), event as (
            insert into order_events (order_id, seq, code, actor, at)
            select order_id, 1, $10, $11, created_at from new
        )
        select order_id from new",
    )
    .bind(batch.column(|row| row.order_id))
    .bind(batch.column(|row| row.customer_id))
    .bind(batch.column(|row| row.statuses.order.as_str()))
    .bind(batch.column(|row| row.statuses.payment.as_str()))
    .bind(batch.column(|row| row.statuses.shipping.as_str()))
    .bind(batch.column(|row| row.statuses.cancel_reason.map(CancelReason::as_str)))
    .bind(batch.column(|row| row.order_total.decimal()))
    .bind(batch.column(|row| row.created_at))
    .bind(currency.code())
    .bind(OrderEvent::OrderImported.code())
    .bind(Actor::import().as_str())
    .fetch_all(conn)
    .await?;
    Ok(new.into_iter().collect())
}

/// Rejects orders whose id belongs to a different order. Statuses may differ, because an imported order
/// changes after its import.
async fn reject_changed(
    conn: &mut PgConnection,
    batch: &mut RowBatch<OrderRow>,
    new: &HashSet<i64>,
    currency: Currency,
) -> Result<(), Error> {
    let known: Vec<ExistingOrder> = sqlx::query_as(
        "select order_id, customer_id, order_total, currency, created_at
         from orders where order_id = any($1)",
    )
    .bind(batch.column(|row| row.order_id))
    .fetch_all(conn)
    .await?;
    let known: HashMap<_, _> = known.iter().map(|known| (known.order_id, known)).collect();
    for numbered in &batch.rows {
        let row = &numbered.row;
        let Some(known) = known
            .get(&row.order_id)
            .filter(|_| !new.contains(&row.order_id))
        else {
            continue;
        };
        let differing = differing(&[
            ("customer_id", known.customer_id != row.customer_id),
            (
                "order_total",
                known.order_total != row.order_total.decimal(),
            ),
            ("currency", known.currency != currency.code()),
            ("created_at", known.created_at != row.created_at),
        ]);
        if let Some(columns) = differing {
            let problem =
                format!("is the number of an order that is there already with another {columns}");
            batch
                .violations
                .push_field(numbered.line, "order_id", row.order_id, problem);
        }
    }
    Ok(())
}
