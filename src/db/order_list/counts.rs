//! The number of orders per status.

use sqlx::PgConnection;

use crate::db::Error;
use crate::domain::status::{OrderStatus, Status as _};

use super::scope::COUNT_LIMIT;

/// The number of orders with a status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatusCount {
    /// The status.
    pub status: OrderStatus,
    /// The number of orders, up to [`COUNT_LIMIT`].
    pub count: i64,
    /// Whether there may be more.
    pub is_capped: bool,
}

/// The number of newest orders that are read for a status without an index.
const NEWEST: i64 = 50_000;

/// Counts the orders of each status, up to [`COUNT_LIMIT`].
#[tracing::instrument(name = "db.orders.counts", skip_all)]
pub async fn counts(conn: &mut PgConnection) -> Result<Vec<StatusCount>, Error> {
    let counted = sqlx::query!(
        r#"
        with delivered as materialized (
            select count(*) as orders from (select from (select order_status from orders
                    order by created_at desc, order_id desc limit $2) o
                where o.order_status = 'DELIVERED'
                limit $1) o
        )
        select status as "status!", counted.orders as "orders!"
        from unnest(array['PENDING', 'CONFIRMED', 'SHIPPED', 'CANCELLING']) status,
            lateral (select count(*) as orders from (select from orders o
                where o.order_status in ('PENDING', 'CONFIRMED', 'SHIPPED', 'CANCELLING')
                    and o.order_status = status
                limit $1) o) counted
        union all
        select 'CANCELLED', count(*) from (select from rare_statuses rare,
                lateral (select order_status from orders o where o.order_id = rare.order_id limit 1) o
            where rare.status = 'order:CANCELLED' and o.order_status = 'CANCELLED'
            limit $1) o
        union all
        select 'DELIVERED', orders from delivered
        union all
        -- Counted only if DELIVERED is below the limit: it tells whether the scan saw the whole table.
        select 'NEWEST', case when (select orders from delivered) < $1 then
            (select count(*) from (select from orders order by created_at desc, order_id desc limit $2) o)
            else $2 end
        "#,
        COUNT_LIMIT + 1,
        NEWEST,
    )
    .fetch_all(conn)
    .await?;
    let of = |name: &str| {
        let found = counted.iter().find(|row| row.status == name);
        found.map_or(0, |row| row.orders)
    };
    let all_seen = of("NEWEST") < NEWEST;
    let count = |&status: &OrderStatus| {
        let count = of(status.as_str());
        let has_index = status != OrderStatus::Delivered;
        StatusCount {
            status,
            count: count.min(COUNT_LIMIT),
            is_capped: count > COUNT_LIMIT || !(has_index || all_seen),
        }
    };
    Ok(OrderStatus::ALL.iter().map(count).collect())
}
