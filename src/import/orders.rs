//! The rows of the orders' file.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use rust_decimal::Decimal;
use sqlx::PgConnection;
use time::OffsetDateTime;

use super::cells::Cells;
use super::error::Findings;
use super::row::{Batch, Counts, Row, differing};
use super::statuses::{self, Statuses};
use super::{Error, Stage, values};
use crate::domain::cancel_reason::CancelReason;
use crate::domain::event::{Actor, OrderEvent};
use crate::domain::money::{Currency, Money};
use crate::domain::status::Status;

/// An order of the earlier shop.
pub(super) struct OrderRow {
    order_id: i64,
    customer_id: i64,
    statuses: Statuses,
    order_total: Money,
    created_at: OffsetDateTime,
}

/// What never changes about an order that is there already.
#[derive(sqlx::FromRow)]
struct Known {
    order_id: i64,
    customer_id: i64,
    order_total: Decimal,
    currency: String,
    created_at: OffsetDateTime,
}

impl Row for OrderRow {
    const STAGE: Stage = Stage::Orders;
    const COLUMNS: &'static [&'static str] = &[
        "order_id",
        "customer_id",
        "order_status",
        "payment_status",
        "order_total",
        "created_at",
    ];

    fn read(cells: &mut Cells<'_>, currency: Currency) -> Option<Self> {
        let order_id = cells.read("order_id", values::id);
        let customer_id = cells.read("customer_id", values::id);
        let order_status = cells.read("order_status", statuses::order);
        let payment_status = cells.read("payment_status", statuses::payment);
        let order_total = cells.read("order_total", |text| values::amount(text, currency));
        let created_at = cells.read("created_at", values::moment);
        let statuses = statuses::taken_over(order_status?, payment_status?)
            .map_err(|problem| cells.reject("payment_status", problem));
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
        batch: &mut Batch<Self>,
        currency: Currency,
    ) -> Result<Counts, Error> {
        let new = insert(conn, batch, currency).await?;
        if new.len() < batch.rows.len() {
            compare(conn, batch, &new, currency).await?;
        }
        Ok(Counts::of(batch, new.len()))
    }

    async fn review(_: &mut PgConnection, file: Arc<str>) -> Result<Findings, Error> {
        Ok(Findings::new(file))
    }
}

/// Writes those orders that are not there, each with its one event, and answers which these were.
async fn insert(
    conn: &mut PgConnection,
    batch: &Batch<OrderRow>,
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
        ), told as (
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

/// Tells those orders whose number belongs to another order. Statuses may differ: an imported order
/// lives on here.
async fn compare(
    conn: &mut PgConnection,
    batch: &mut Batch<OrderRow>,
    new: &HashSet<i64>,
    currency: Currency,
) -> Result<(), Error> {
    let known: Vec<Known> = sqlx::query_as(
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
                .findings
                .value(numbered.line, "order_id", row.order_id, problem);
        }
    }
    Ok(())
}
