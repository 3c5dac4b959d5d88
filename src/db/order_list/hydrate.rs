//! Orders by their numbers. This statement is the same for every list and kept prepared.

use std::collections::HashMap;

use sqlx::PgConnection;

use crate::db::Error;
use crate::db::rows::{JoinedRow, gather};
use crate::domain::order::Order;

/// The orders of these numbers, in the same order.
pub async fn orders(conn: &mut PgConnection, ids: &[i64]) -> Result<Vec<Order>, Error> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let rows = sqlx::query_as!(
        JoinedRow,
        r#"
        select o.order_id, o.customer_id, o.order_status, o.payment_status, o.shipping_status,
            o.cancel_reason, o.currency, o.subtotal, o.tax, o.shipping_fee, o.order_total,
            o.payment_method, o.shipping_address, o.carrier, o.tracking_no, o.cancel_requested,
            o.version, o.created_at, o.updated_at,
            i.order_item_id as "order_item_id?", i.product_id as "product_id?", i.sku as "sku?",
            i.name as "name?", i.quantity as "quantity?", i.unit_price as "unit_price?",
            i.line_total as "line_total?"
        from orders o
        left join order_items i on i.order_id = o.order_id
        where o.order_id = any($1)
        order by o.order_id, i.order_item_id
        "#,
        ids,
    )
    .fetch_all(conn)
    .await?;
    let orders = gather(rows)?;
    let mut orders: HashMap<i64, Order> = orders
        .into_iter()
        .map(|order| (order.order_id.0, order))
        .collect();
    Ok(ids.iter().filter_map(|id| orders.remove(id)).collect())
}
