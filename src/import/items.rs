//! The rows of the file of items.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use rust_decimal::Decimal;
use sqlx::PgConnection;

use super::batch::{ImportRow, RowBatch, RowCounts, differing};
use super::error::{Error, FileViolations};
use super::fields::RecordFields;
use super::progress::ImportStage;
use super::{seen_ids, values};
use crate::domain::event::OrderEvent;
use crate::domain::money::{Currency, MAX_AMOUNT, Money};

/// An item of an order of the earlier shop.
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

/// An item that exists already.
#[derive(sqlx::FromRow)]
struct ExistingItem {
    order_item_id: i64,
    product_id: Option<i64>,
    sku: String,
    name: Option<String>,
    quantity: i32,
    unit_price: Decimal,
}

impl ImportRow for ItemRow {
    const STAGE: ImportStage = ImportStage::Items;
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

    fn read(fields: &mut RecordFields<'_>, currency: Currency) -> Option<Self> {
        let order_item_id = fields.read("order_item_id", values::id);
        let order_id = fields.read("order_id", values::id);
        let product_id = fields.read("product_id", values::optional_id);
        let sku = fields.read("sku", values::sku);
        let name = fields.read("name", values::name);
        let quantity = fields.read("quantity", values::quantity);
        let unit_price = fields.read("unit_price", |text| values::amount(text, currency));
        let (quantity, unit_price) = (quantity?, unit_price?);
        let line_total = line_total(quantity, unit_price);
        if line_total.is_none() {
            let problem = format!("times {unit_price} must be at most {MAX_AMOUNT}");
            fields.reject("quantity", problem);
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
        batch: &mut RowBatch<Self>,
        _: Currency,
    ) -> Result<RowCounts, Error> {
        reject_orphans(conn, batch).await?;
        let new = insert(conn, batch).await?;
        if !new.is_empty() {
            reject_additions(conn, batch, &new).await?;
        }
        if new.len() < batch.rows.len() {
            reject_changed(conn, batch, &new).await?;
        }
        Ok(RowCounts::of(batch, new.len()))
    }

    /// Rejects item ids that belong to an item of another order. Item ids are unique across orders, but the
    /// primary key starts with the order id, so no index finds an item by its own id. One query for all
    /// batches scans the table once instead of once per batch.
    async fn review(conn: &mut PgConnection, file: Arc<str>) -> Result<FileViolations, Error> {
        let taken: Vec<(i64, i64, i64)> = sqlx::query_as(
            "select seen.line, seen.id, item.order_id
             from pg_temp.import_seen as seen
             join order_items as item
                 on item.order_item_id = seen.id and item.order_id <> seen.order_id
             where seen.stage = $1
             order by seen.line",
        )
        .bind(seen_ids::stage_name(Self::STAGE))
        .fetch_all(conn)
        .await?;
        let mut violations = FileViolations::new(file);
        for (line, id, order_id) in taken {
            let problem = format!("is the number of a line of order {order_id} already");
            let line = u64::try_from(line).unwrap_or_default();
            violations.push_field(line, "order_item_id", id, problem);
        }
        Ok(violations)
    }
}

fn line_total(quantity: i32, unit_price: Money) -> Option<Money> {
    let total = unit_price.times(u32::try_from(quantity).ok()?)?;
    (!total.exceeds_limit()).then_some(total)
}

/// Moves items without an order from `batch.rows` to its violations.
async fn reject_orphans(
    conn: &mut PgConnection,
    batch: &mut RowBatch<ItemRow>,
) -> Result<(), Error> {
    let orders: Vec<i64> =
        sqlx::query_scalar("select order_id from orders where order_id = any($1)")
            .bind(batch.column(|row| row.order_id))
            .fetch_all(conn)
            .await?;
    let orders: HashSet<_> = orders.into_iter().collect();
    let violations = &mut batch.violations;
    batch.rows.retain(|numbered| {
        let order_id = numbered.row.order_id;
        let exists = orders.contains(&order_id);
        if !exists {
            let problem = "must be the number of an order, of the other file or here already";
            violations.push_field(numbered.line, "order_id", order_id, problem);
        }
        exists
    });
    Ok(())
}

/// Inserts the items that do not exist yet and returns their ids.
async fn insert(conn: &mut PgConnection, batch: &RowBatch<ItemRow>) -> Result<HashSet<i64>, Error> {
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

/// Rejects new items of orders that were placed in this service. Their items and total were agreed with the
/// customer, so the import must not add to them.
async fn reject_additions(
    conn: &mut PgConnection,
    batch: &mut RowBatch<ItemRow>,
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
                .violations
                .push_field(numbered.line, "order_id", row.order_id, problem);
        }
    }
    Ok(())
}

/// Rejects items whose id belongs to a different item of the same order.
async fn reject_changed(
    conn: &mut PgConnection,
    batch: &mut RowBatch<ItemRow>,
    new: &HashSet<i64>,
) -> Result<(), Error> {
    let known: Vec<ExistingItem> = sqlx::query_as(
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
            // A file without the column `name` leaves the names unchanged.
            ("name", row.name.is_some() && known.name != row.name),
            ("quantity", known.quantity != row.quantity),
            ("unit_price", known.unit_price != row.unit_price.decimal()),
        ]);
        if let Some(columns) = differing {
            let problem =
                format!("is the number of a line that is there already with another {columns}");
            batch
                .violations
                .push_field(numbered.line, "order_item_id", id, problem);
        }
    }
    Ok(())
}
