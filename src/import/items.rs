//! The rows of the file of order lines.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use rust_decimal::Decimal;
use sqlx::PgConnection;

use super::cells::Cells;
use super::error::Findings;
use super::row::{Batch, Counts, Row, differing};
use super::{Error, Stage, seen, values};
use crate::domain::event::OrderEvent;
use crate::domain::money::{Currency, MAX_AMOUNT, Money};

/// A line of an order of the earlier shop.
pub(super) struct ItemRow {
    order_item_id: i64,
    order_id: i64,
    product_id: Option<i64>,
    sku: String,
    name: Option<String>,
    quantity: i32,
    unit_price: Money,
    line_total: Money,
}

/// A line that is there already.
#[derive(sqlx::FromRow)]
struct Known {
    order_item_id: i64,
    product_id: Option<i64>,
    sku: String,
    name: Option<String>,
    quantity: i32,
    unit_price: Decimal,
}

impl Row for ItemRow {
    const STAGE: Stage = Stage::Items;
    const COLUMNS: &'static [&'static str] = &[
        "order_item_id",
        "order_id",
        "product_id",
        "sku",
        "quantity",
        "unit_price",
        "name",
    ];
    const OPTIONAL: &'static [&'static str] = &["name"];

    fn read(cells: &mut Cells<'_>, currency: Currency) -> Option<Self> {
        let order_item_id = cells.read("order_item_id", values::id);
        let order_id = cells.read("order_id", values::id);
        let product_id = cells.read("product_id", values::optional_id);
        let sku = cells.read("sku", values::sku);
        let name = cells.read("name", values::name);
        let quantity = cells.read("quantity", values::quantity);
        let unit_price = cells.read("unit_price", |text| values::amount(text, currency));
        let (quantity, unit_price) = (quantity?, unit_price?);
        let line_total = line_total(quantity, unit_price);
        if line_total.is_none() {
            let problem = format!("times {unit_price} must be at most {MAX_AMOUNT}");
            cells.reject("quantity", problem);
        }
        Some(Self {
            order_item_id: order_item_id?,
            order_id: order_id?,
            product_id: product_id?,
            sku: sku?,
            name: name?,
            quantity,
            unit_price,
            line_total: line_total?,
        })
    }

    fn id(&self) -> i64 {
        self.order_item_id
    }

    fn order_id(&self) -> i64 {
        self.order_id
    }

    async fn write(
        conn: &mut PgConnection,
        batch: &mut Batch<Self>,
        _: Currency,
    ) -> Result<Counts, Error> {
        reject_strays(conn, batch).await?;
        let new = insert(conn, batch).await?;
        if !new.is_empty() {
            reject_additions(conn, batch, &new).await?;
        }
        if new.len() < batch.rows.len() {
            compare(conn, batch, &new).await?;
        }
        Ok(Counts::of(batch, new.len()))
    }

    /// The numbers of lines are unique among all orders, though the key of their table is not: a
    /// look at each batch would read the whole table each time, so this looks at all at once.
    async fn review(conn: &mut PgConnection, file: Arc<str>) -> Result<Findings, Error> {
        let taken: Vec<(i64, i64, i64)> = sqlx::query_as(
            "select seen.line, seen.id, item.order_id
             from pg_temp.import_seen as seen
             join order_items as item
                 on item.order_item_id = seen.id and item.order_id <> seen.order_id
             where seen.stage = $1
             order by seen.line",
        )
        .bind(seen::name(Self::STAGE))
        .fetch_all(conn)
        .await?;
        let mut findings = Findings::new(file);
        for (line, id, order_id) in taken {
            let problem = format!("is the number of a line of order {order_id} already");
            let line = u64::try_from(line).unwrap_or_default();
            findings.value(line, "order_item_id", id, problem);
        }
        Ok(findings)
    }
}

fn line_total(quantity: i32, unit_price: Money) -> Option<Money> {
    let total = unit_price.times(u32::try_from(quantity).ok()?)?;
    (!total.exceeds_limit()).then_some(total)
}

/// Takes those lines out of `batch` whose order does not exist, and tells them.
async fn reject_strays(conn: &mut PgConnection, batch: &mut Batch<ItemRow>) -> Result<(), Error> {
    let orders: Vec<i64> =
        sqlx::query_scalar("select order_id from orders where order_id = any($1)")
            .bind(batch.column(|row| row.order_id))
            .fetch_all(conn)
            .await?;
    let orders: HashSet<_> = orders.into_iter().collect();
    let findings = &mut batch.findings;
    batch.rows.retain(|numbered| {
        let order_id = numbered.row.order_id;
        let exists = orders.contains(&order_id);
        if !exists {
            let problem = "must be the number of an order, of the other file or here already";
            findings.value(numbered.line, "order_id", order_id, problem);
        }
        exists
    });
    Ok(())
}

/// Writes those lines that are not there, and answers which these were.
async fn insert(conn: &mut PgConnection, batch: &Batch<ItemRow>) -> Result<HashSet<i64>, Error> {
    let new: Vec<i64> = sqlx::query_scalar(
        "insert into order_items
            (order_item_id, order_id, product_id, sku, quantity, unit_price, line_total, name)
         select * from unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::text[], $5::integer[],
            $6::numeric[], $7::numeric[], $8::text[])
         on conflict (order_id, order_item_id) do nothing
         returning order_item_id",
    )
    .bind(batch.column(|row| row.order_item_id))
    .bind(batch.column(|row| row.order_id))
    .bind(batch.column(|row| row.product_id))
    .bind(batch.column(|row| row.sku.as_str()))
    .bind(batch.column(|row| row.quantity))
    .bind(batch.column(|row| row.unit_price.decimal()))
    .bind(batch.column(|row| row.line_total.decimal()))
    .bind(batch.column(|row| row.name.as_deref()))
    .fetch_all(conn)
    .await?;
    Ok(new.into_iter().collect())
}

/// Tells those new lines whose order was placed here: its lines and what it came to were agreed on,
/// and nothing may be added to it.
async fn reject_additions(
    conn: &mut PgConnection,
    batch: &mut Batch<ItemRow>,
    new: &HashSet<i64>,
) -> Result<(), Error> {
    let placed: Vec<i64> = sqlx::query_scalar(
        "select order_id from order_events
         where order_id = any($1) and seq = 1 and code <> $2",
    )
    .bind(batch.column(|row| row.order_id))
    .bind(OrderEvent::OrderImported.code())
    .fetch_all(conn)
    .await?;
    let placed: HashSet<_> = placed.into_iter().collect();
    for numbered in &batch.rows {
        let row = &numbered.row;
        if placed.contains(&row.order_id) && new.contains(&row.order_item_id) {
            let problem = "is the number of an order that was placed here, without this line";
            batch
                .findings
                .value(numbered.line, "order_id", row.order_id, problem);
        }
    }
    Ok(())
}

/// Tells those lines whose number belongs to another line of the same order.
async fn compare(
    conn: &mut PgConnection,
    batch: &mut Batch<ItemRow>,
    new: &HashSet<i64>,
) -> Result<(), Error> {
    let known: Vec<Known> = sqlx::query_as(
        "select order_item_id, product_id, sku, name, quantity, unit_price
         from unnest($1::bigint[], $2::bigint[]) as row (order_id, order_item_id)
         join order_items using (order_id, order_item_id)",
    )
    .bind(batch.column(|row| row.order_id))
    .bind(batch.column(|row| row.order_item_id))
    .fetch_all(conn)
    .await?;
    let known: HashMap<_, _> = known
        .iter()
        .map(|known| (known.order_item_id, known))
        .collect();
    for numbered in &batch.rows {
        let (row, id) = (&numbered.row, numbered.row.order_item_id);
        let Some(known) = known.get(&id).filter(|_| !new.contains(&id)) else {
            continue;
        };
        let differing = differing(&[
            ("product_id", known.product_id != row.product_id),
            ("sku", known.sku != row.sku),
            // A file without names says nothing about them.
            ("name", row.name.is_some() && known.name != row.name),
            ("quantity", known.quantity != row.quantity),
            ("unit_price", known.unit_price != row.unit_price.decimal()),
        ]);
        if let Some(columns) = differing {
            let problem =
                format!("is the number of a line that is there already with another {columns}");
            batch
                .findings
                .value(numbered.line, "order_item_id", id, problem);
        }
    }
    Ok(())
}
