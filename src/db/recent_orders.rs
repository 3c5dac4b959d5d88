//! The first page of a customer's orders, newest first: the most frequent list. One statement reads the
//! pages of many customers, orders included.

use futures_util::TryStreamExt as _;
use sqlx::PgConnection;

use crate::domain::ids::CustomerId;
use crate::domain::search::{
    MAX_PAGE_SIZE, OrderFilter, OrderListQuery, PagePosition, SortBy, SortDir, SortKey, SortValue,
};

use super::Error;
use super::order_list::{COUNT_LIMIT, OrderListPage};
use super::rows::{joined, push_row};

/// The first page of one customer's orders, newest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RecentOrders {
    customer_id: CustomerId,
    size: u32,
}

impl RecentOrders {
    /// This page, if the query asks for exactly it.
    pub fn of(query: &OrderListQuery) -> Option<Self> {
        let customer_id = query.filter.customer_id?;
        let first_page = OrderListQuery {
            filter: OrderFilter {
                customer_id: Some(customer_id),
                ..OrderFilter::default()
            },
            sort_by: SortBy::CreatedAt,
            sort_dir: SortDir::Desc,
            position: PagePosition::First,
            size: query.size,
        };
        (*query == first_page).then_some(Self {
            customer_id,
            size: query.size,
        })
    }

    /// Completes a page: the next key, and the bounded count.
    fn complete(self, mut page: OrderListPage) -> OrderListPage {
        if page.count > i64::from(self.size) {
            page.next = page.orders.last().map(|order| SortKey {
                value: SortValue::CreatedAt(order.created_at),
                order_id: order.order_id.0,
            });
        }
        page.count_capped = page.count > COUNT_LIMIT;
        page.count = page.count.min(COUNT_LIMIT);
        page
    }
}

/// The statement below contains these limits as literals, so that the planner knows how few rows it reads.
const _: () = assert!(COUNT_LIMIT == 10_000 && MAX_PAGE_SIZE == 100);

/// The pages of these keys, in their order.
///
/// Subqueries hide the array lengths from the planner, as in [`find_many`](super::orders::find_many). The
/// customer is compared as a range and is part of the sort order, so that only the index on customers fits.
/// Otherwise, in a shop with few customers, the planner would scan all orders by time, to the end for a
/// customer without orders.
pub async fn recent_orders(
    conn: &mut PgConnection,
    keys: &[RecentOrders],
) -> Result<Vec<OrderListPage>, Error> {
    let customers: Vec<i64> = keys.iter().map(|key| key.customer_id.0).collect();
    let sizes: Vec<i64> = keys.iter().map(|key| i64::from(key.size)).collect();
    let mut rows = joined!(
        r#"requested.place as "place?", counted.count as "count?""#,
        "
        from unnest((select $1::bigint[])::bigint[], (select $2::bigint[])::bigint[])
            with ordinality as requested (customer_id, size, place)
        cross join lateral (
            select count(*) from (
                select from orders o
                where o.customer_id >= requested.customer_id and o.customer_id <= requested.customer_id
                order by o.customer_id
                limit 10001
            ) orders
        ) counted
        cross join lateral (
            select * from (
                select * from orders o
                where o.customer_id >= requested.customer_id and o.customer_id <= requested.customer_id
                order by o.customer_id desc, o.created_at desc, o.order_id desc
                limit 100
            ) newest
            order by newest.customer_id desc, newest.created_at desc, newest.order_id desc
            limit requested.size
        ) o
        left join order_items i on i.order_id = o.order_id
        order by requested.place, o.created_at desc, o.order_id desc, i.order_item_id
        ",
        &customers,
        &sizes
    )
    .fetch(conn);
    let mut pages = vec![OrderListPage::default(); keys.len()];
    while let Some(row) = rows.try_next().await? {
        let place = row.place.and_then(|place| usize::try_from(place - 1).ok());
        let Some(page) = place.and_then(|place| pages.get_mut(place)) else {
            continue;
        };
        page.count = row.count.unwrap_or_default();
        push_row(&mut page.orders, row)?;
    }
    let pages = keys.iter().zip(pages);
    Ok(pages.map(|(key, page)| key.complete(page)).collect())
}
