//! The beginnings of customers' histories: the list that most people ask for, read by one statement with
//! its orders, and for many customers at once.

use futures_util::TryStreamExt as _;
use sqlx::PgConnection;

use crate::domain::ids::CustomerId;
use crate::domain::search::{
    MAX_PAGE_SIZE, OrderFilter, OrderListQuery, PagePosition, SortBy, SortDir, SortKey, SortValue,
};

use super::Error;
use super::order_list::{CAP, Listing};
use super::rows::{add, joined};

/// The newest orders of a customer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Newest {
    customer_id: CustomerId,
    size: u32,
}

impl Newest {
    /// What a search asks for, unless that is something else.
    pub fn of(search: &OrderListQuery) -> Option<Self> {
        let customer_id = search.filter.customer_id?;
        let wanted = OrderListQuery {
            filter: OrderFilter {
                customer_id: Some(customer_id),
                ..OrderFilter::default()
            },
            sort_by: SortBy::CreatedAt,
            sort_dir: SortDir::Desc,
            position: PagePosition::First,
            size: search.size,
        };
        (*search == wanted).then_some(Self {
            customer_id,
            size: search.size,
        })
    }

    /// Tells of a history what its count and its orders say.
    fn told(self, mut listing: Listing) -> Listing {
        if listing.count > i64::from(self.size) {
            listing.next = listing.orders.last().map(|order| SortKey {
                value: SortValue::CreatedAt(order.created_at),
                order_id: order.order_id.0,
            });
        }
        listing.count_capped = listing.count > CAP;
        listing.count = listing.count.min(CAP);
        listing
    }
}

/// What the statement below says in figures, so that the planner knows how little it reads.
const _: () = assert!(CAP == 10_000 && MAX_PAGE_SIZE == 100);

/// The beginnings of these histories, in the same order.
///
/// What is asked for stands in queries of its own, for the reason that is told at
/// [`of_numbers`](super::orders::of_numbers). The customer is asked for as a range, and sorted by, so that no
/// index but the customer's will do: of a shop with few customers, the planner would else walk along all
/// orders, to the end for a customer who has none.
pub async fn newest(conn: &mut PgConnection, asked: &[Newest]) -> Result<Vec<Listing>, Error> {
    let customers: Vec<i64> = asked.iter().map(|newest| newest.customer_id.0).collect();
    let sizes: Vec<i64> = asked.iter().map(|newest| i64::from(newest.size)).collect();
    let mut rows = joined!(
        r#"asked.place as "place?", counted.count as "count?""#,
        "
        from unnest((select $1::bigint[])::bigint[], (select $2::bigint[])::bigint[])
            with ordinality as asked (customer_id, size, place)
        cross join lateral (
            select count(*) from (
                select from orders o
                where o.customer_id >= asked.customer_id and o.customer_id <= asked.customer_id
                order by o.customer_id
                limit 10001
            ) orders
        ) counted
        cross join lateral (
            select * from (
                select * from orders o
                where o.customer_id >= asked.customer_id and o.customer_id <= asked.customer_id
                order by o.customer_id desc, o.created_at desc, o.order_id desc
                limit 100
            ) newest
            order by newest.customer_id desc, newest.created_at desc, newest.order_id desc
            limit asked.size
        ) o
        left join order_items i on i.order_id = o.order_id
        order by asked.place, o.created_at desc, o.order_id desc, i.order_item_id
        ",
        &customers,
        &sizes
    )
    .fetch(conn);
    let mut listings = vec![Listing::default(); asked.len()];
    while let Some(row) = rows.try_next().await? {
        let place = row.place.and_then(|place| usize::try_from(place - 1).ok());
        let Some(listing) = place.and_then(|place| listings.get_mut(place)) else {
            continue;
        };
        listing.count = row.count.unwrap_or_default();
        add(&mut listing.orders, row)?;
    }
    let listings = asked.iter().zip(listings);
    Ok(listings
        .map(|(newest, listing)| newest.told(listing))
        .collect())
}
