//! Maps joined rows to orders. A join of orders and lines is faster than lines aggregated to JSON.

use futures_util::{Stream, TryStreamExt as _};
use rust_decimal::Decimal;
use time::OffsetDateTime;

use crate::domain::cancel_reason::CancelReason;
use crate::domain::ids::{CustomerId, OrderId};
use crate::domain::money::{Currency, Money};
use crate::domain::order::{Item, Order, OrderState, Totals};
use crate::domain::status::Status;

use super::Error;

/// A query for orders and their lines: first the columns that assign a row to a list, then the rest of the
/// statement, in which `o` is the order and `i` the line.
macro_rules! joined {
    ($list:literal, $rest:literal, $($bound:expr),*) => {
        sqlx::query_as!(
            $crate::db::rows::JoinedRow,
            "select "
                + $list
                + r#",
                o.order_id, o.customer_id, o.order_status, o.payment_status, o.shipping_status,
                o.cancel_reason, o.currency, o.subtotal, o.tax, o.shipping_fee, o.order_total,
                o.payment_method, o.shipping_address, o.carrier, o.tracking_no, o.cancel_requested,
                o.version, o.created_at, o.updated_at,
                i.order_item_id as "order_item_id?", i.product_id as "product_id?", i.sku as "sku?",
                i.name as "name?", i.quantity as "quantity?", i.unit_price as "unit_price?",
                i.line_total as "line_total?"
            "#
                + $rest,
            $($bound),*
        )
    };
}

pub(super) use joined;

/// A row of [`joined!`]: an order, and one of its lines unless it has none.
pub(super) struct JoinedRow {
    /// The list of the row, from 1, in a statement that reads several.
    pub place: Option<i64>,
    /// The bounded count of that list.
    pub count: Option<i64>,
    pub order_id: i64,
    pub customer_id: i64,
    pub order_status: String,
    pub payment_status: String,
    pub shipping_status: String,
    pub cancel_reason: Option<String>,
    pub currency: String,
    pub subtotal: Decimal,
    pub tax: Decimal,
    pub shipping_fee: Decimal,
    pub order_total: Decimal,
    pub payment_method: Option<String>,
    pub shipping_address: Option<String>,
    pub carrier: Option<String>,
    pub tracking_no: Option<String>,
    pub cancel_requested: bool,
    pub version: i32,
    pub created_at: OffsetDateTime,
    pub updated_at: OffsetDateTime,
    pub order_item_id: Option<i64>,
    pub product_id: Option<i64>,
    pub sku: Option<String>,
    pub name: Option<String>,
    pub quantity: Option<i32>,
    pub unit_price: Option<Decimal>,
    pub line_total: Option<Decimal>,
}

/// Collects rows into orders. The rows of one order are adjacent.
pub(super) async fn collect_orders(
    mut rows: impl Stream<Item = Result<JoinedRow, sqlx::Error>> + Unpin,
) -> Result<Vec<Order>, Error> {
    let mut orders = Vec::new();
    while let Some(row) = rows.try_next().await? {
        push_row(&mut orders, row)?;
    }
    Ok(orders)
}

/// Adds a row to the last order, or starts the next one.
pub(super) fn push_row(orders: &mut Vec<Order>, mut row: JoinedRow) -> Result<(), Error> {
    match orders.last_mut() {
        Some(order) if order.order_id.0 == row.order_id => {
            order.items.extend(item(&mut row, order.currency)?);
        }
        _ => {
            let currency = currency(&row.currency, row.order_id)?;
            let first = item(&mut row, currency)?;
            orders.push(order(row, currency, first)?);
        }
    }
    Ok(())
}

/// Parses a stored currency.
pub(super) fn currency(code: &str, order_id: i64) -> Result<Currency, Error> {
    Currency::from_code(code).ok_or(Error::Unreadable {
        column: "currency",
        order_id,
    })
}

fn item(row: &mut JoinedRow, currency: Currency) -> Result<Option<Item>, Error> {
    let (Some(order_item_id), Some(sku), Some(quantity), Some(unit_price), Some(line_total)) = (
        row.order_item_id,
        row.sku.take(),
        row.quantity,
        row.unit_price,
        row.line_total,
    ) else {
        return Ok(None);
    };
    let quantity = u32::try_from(quantity).map_err(|_| Error::Unreadable {
        column: "quantity",
        order_id: row.order_id,
    })?;
    Ok(Some(Item {
        order_item_id,
        product_id: row.product_id,
        sku,
        name: row.name.take(),
        quantity,
        unit_price: Money::round(unit_price, currency),
        line_total: Money::round(line_total, currency),
    }))
}

fn order(row: JoinedRow, currency: Currency, first: Option<Item>) -> Result<Order, Error> {
    let order_id = row.order_id;
    let money = |amount| Money::round(amount, currency);
    Ok(Order {
        order_id: OrderId(order_id),
        customer_id: CustomerId(row.customer_id),
        currency,
        totals: Totals {
            subtotal: money(row.subtotal),
            tax: money(row.tax),
            shipping_fee: money(row.shipping_fee),
            order_total: money(row.order_total),
        },
        items: first.into_iter().collect(),
        payment_method: row.payment_method,
        shipping_address: row.shipping_address,
        state: OrderState {
            order_status: status("order_status", &row.order_status, order_id)?,
            payment_status: status("payment_status", &row.payment_status, order_id)?,
            shipping_status: status("shipping_status", &row.shipping_status, order_id)?,
            cancel_reason: cancel_reason(row.cancel_reason.as_deref(), order_id)?,
            carrier: row.carrier,
            tracking_no: row.tracking_no,
        },
        cancel_requested: row.cancel_requested,
        version: row.version,
        created_at: row.created_at,
        updated_at: row.updated_at,
    })
}

/// Parses a stored status.
pub(super) fn status<S: Status>(
    column: &'static str,
    text: &str,
    order_id: i64,
) -> Result<S, Error> {
    S::from_name(text).ok_or(Error::Unreadable { column, order_id })
}

/// Parses a stored cancel reason.
pub(super) fn cancel_reason(
    text: Option<&str>,
    order_id: i64,
) -> Result<Option<CancelReason>, Error> {
    text.map(|text| {
        CancelReason::from_name(text).ok_or(Error::Unreadable {
            column: "cancel_reason",
            order_id,
        })
    })
    .transpose()
}
