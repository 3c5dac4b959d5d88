//! The access path of a list: an index lookup, whose rows are then sorted, or an index scan in the list's
//! own order, which ends when the page is full.
//!
//! A lookup that finds at most [`COUNT_LIMIT`] orders is cheaper, however far apart they lie in the list.
//! If every lookup finds more, matches are dense enough for a scan. The scan is bounded all the same.

use sqlx::{PgConnection, Postgres, QueryBuilder};

use crate::db::Error;
use crate::domain::search::{MatchRank, OrderFilter, SortBy};
use crate::domain::status::{OrderStatus, PaymentStatus, ShippingStatus, Status};

use super::filter::{self, MIN_SUBSTRING_CHARS, OPEN, patterns};
use super::scope::{COUNT_LIMIT, ListScope};

/// The largest number of SKUs that a search text may match in a lookup; with more, the list is scanned.
const MAX_TERMS: i64 = 1_000;

/// The condition of the partial index on active orders. The text is the same as in the index definition, so
/// that the planner recognizes it.
pub const IS_ACTIVE: &str = "o.order_status in ('PENDING', 'CONFIRMED', 'SHIPPED', 'CANCELLING')";
/// The statuses of the partial index on active orders.
const ACTIVE: [OrderStatus; 4] = [
    OrderStatus::Pending,
    OrderStatus::Confirmed,
    OrderStatus::Shipped,
    OrderStatus::Cancelling,
];
const RARE: [OrderStatus; 1] = [OrderStatus::Cancelled];
const RARE_PAYMENT: [PaymentStatus; 2] = [PaymentStatus::Failed, PaymentStatus::Refunded];
const RARE_SHIPPING: [ShippingStatus; 4] = [
    ShippingStatus::Failed,
    ShippingStatus::Cancelled,
    ShippingStatus::Returned,
    ShippingStatus::Unknown,
];

/// The way to the keys of a list.
pub enum AccessPath {
    /// Look up the orders of one condition, and sort them.
    Lookup(IndexLookup),
    /// Scan an index in the list's order.
    Scan(IndexScan),
}

/// An index in the list's order, by the part of the filter that it covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IndexScan {
    /// All orders, within the bounds of the sort column.
    All,
    /// One customer's orders, by time of acceptance.
    Customer,
    /// The orders of one active status, by time of acceptance.
    Active(OrderStatus),
}

/// A condition of the filter that has an index.
#[derive(Clone, Debug)]
pub enum IndexLookup {
    /// The customer's orders.
    Customer,
    /// Active orders in these statuses.
    Active(Vec<OrderStatus>),
    /// Orders that reached one of these rare statuses.
    Rare(Vec<String>),
    /// Orders whose saga is stuck.
    NeedsAttention,
    /// Orders with the SKU.
    Sku,
    /// Orders that match the search text.
    Search(String, Option<MatchRank>),
    /// Orders accepted within the bounds.
    Created,
    /// Orders with a total within the bounds.
    Total,
}

/// Chooses the access path: counts the rows of each lookup, up to a limit.
pub async fn choose(conn: &mut PgConnection, scope: ListScope<'_>) -> Result<AccessPath, Error> {
    let scan = index_scan(scope);
    if scan == IndexScan::Customer {
        return Ok(AccessPath::Scan(scan));
    }
    let mut candidates = candidates(scope);
    if candidates.is_empty() {
        return Ok(AccessPath::Scan(scan));
    }
    let mut query = QueryBuilder::new("select array[");
    for (index, lookup) in candidates.iter().enumerate() {
        query.push(if index == 0 { "" } else { ", " });
        query.push("(select count(*) from (select from (");
        push_lookup(&mut query, lookup, scope.filter);
        query.push(format_args!(
            ") looked_up limit {}) counted)",
            COUNT_LIMIT + 1
        ));
    }
    query.push("]");
    let counts: Vec<i64> = query
        .build_query_scalar()
        .persistent(false)
        .fetch_one(conn)
        .await?;
    let best = counts.iter().enumerate().min_by_key(|(_, count)| **count);
    Ok(match best {
        Some((index, count)) if *count <= COUNT_LIMIT => {
            AccessPath::Lookup(candidates.swap_remove(index))
        }
        _ => AccessPath::Scan(scan),
    })
}

/// The index to scan in the list's order.
fn index_scan(scope: ListScope<'_>) -> IndexScan {
    if scope.sort_by != SortBy::CreatedAt {
        return IndexScan::All;
    }
    match (
        scope.filter.customer_id,
        scope.filter.order_statuses.as_slice(),
    ) {
        (Some(_), _) => IndexScan::Customer,
        (None, [status]) if ACTIVE.contains(status) => IndexScan::Active(*status),
        _ => IndexScan::All,
    }
}

/// The conditions of the filter that have an index.
fn candidates(scope: ListScope<'_>) -> Vec<IndexLookup> {
    let filter = scope.filter;
    let mut found = Vec::new();
    if filter.customer_id.is_some() {
        found.push(IndexLookup::Customer);
    }
    if is_within(&filter.order_statuses, &ACTIVE) {
        found.push(IndexLookup::Active(filter.order_statuses.clone()));
    }
    if filter.open == Some(true) {
        found.push(IndexLookup::Active(OPEN.to_vec()));
    }
    found.extend(rare("order", &filter.order_statuses, &RARE));
    found.extend(rare("payment", &filter.payment_statuses, &RARE_PAYMENT));
    found.extend(rare("shipping", &filter.shipping_statuses, &RARE_SHIPPING));
    if filter.needs_attention == Some(true) {
        found.push(IndexLookup::NeedsAttention);
    }
    if filter.sku.is_some() {
        found.push(IndexLookup::Sku);
    }
    if let Some(text) = &filter.search {
        found.push(IndexLookup::Search(text.clone(), scope.rank));
    }
    if filter.created_from.or(filter.created_to).is_some() && scope.sort_by != SortBy::CreatedAt {
        found.push(IndexLookup::Created);
    }
    if filter.min_total.or(filter.max_total).is_some() && scope.sort_by != SortBy::Total {
        found.push(IndexLookup::Total);
    }
    found
}

fn is_within<S: Status>(statuses: &[S], known: &[S]) -> bool {
    !statuses.is_empty() && statuses.iter().all(|status| known.contains(status))
}

fn rare<S: Status>(kind: &str, statuses: &[S], known: &[S]) -> Option<IndexLookup> {
    let name = |status: &S| format!("{kind}:{}", status.as_str());
    is_within(statuses, known).then(|| IndexLookup::Rare(statuses.iter().map(name).collect()))
}

/// Appends a query for the ids of a lookup. The ids may repeat, and include every match of the condition
/// and possibly more.
pub fn push_lookup(query: &mut QueryBuilder<Postgres>, lookup: &IndexLookup, filter: &OrderFilter) {
    match lookup {
        IndexLookup::Customer => {
            let customer_id = filter.customer_id.map(|customer_id| customer_id.0);
            query
                .push("select o.order_id from orders o where o.customer_id = ")
                .push_bind(customer_id);
            filter::push_created(query, filter);
        }
        IndexLookup::Active(statuses) => {
            query.push(format_args!(
                "select o.order_id from orders o where {IS_ACTIVE}"
            ));
            filter::push_statuses(query, "order_status", statuses, true);
        }
        IndexLookup::Rare(statuses) => {
            query
                .push("select order_id from rare_statuses where status = any(")
                .push_bind(statuses.clone())
                .push(")");
        }
        IndexLookup::NeedsAttention => {
            query.push(
                "select order_id from fulfilments \
                 where phase in ('doing', 'recalling', 'undoing', 'stuck') and phase = 'stuck'",
            );
        }
        IndexLookup::Sku => {
            query
                .push("select order_id from order_items where sku collate \"C\" = ")
                .push_bind(filter.sku.clone());
        }
        IndexLookup::Search(text, rank) => push_search(query, text, *rank),
        IndexLookup::Created => {
            query.push("select o.order_id from orders o where true");
            filter::push_created(query, filter);
        }
        IndexLookup::Total => {
            query.push("select o.order_id from orders o where true");
            filter::push_total(query, filter);
        }
    }
}

/// Each kind of match has its own index; the query is the union of their ids.
fn push_search(query: &mut QueryBuilder<Postgres>, text: &str, rank: Option<MatchRank>) {
    let is_exact = rank.is_none_or(|rank| rank == MatchRank::Exact);
    if is_exact {
        query
            .push("select order_id from orders where tracking_no = ")
            .push_bind(text.to_owned());
        if let Ok(id) = text.parse::<i64>() {
            query.push(" union all select ").push_bind(id);
            query
                .push(" union all select order_id from orders where customer_id = ")
                .push_bind(id);
            query
                .push(" union all select order_id from order_items where product_id = ")
                .push_bind(id);
        }
        query.push(" union all ");
    }
    // The widest pattern includes the matches of the narrower ones.
    let wanted = rank.unwrap_or(if text.chars().count() < MIN_SUBSTRING_CHARS {
        MatchRank::Prefix
    } else {
        MatchRank::Substring
    });
    let pattern = patterns(text).find(|(rank, _)| *rank == wanted);
    let Some((_, pattern)) = pattern else {
        query.push("select null::bigint as order_id where false");
        return;
    };
    query.push(
        "(with terms as materialized (select distinct sku from item_terms \
         where (lower(sku) like lower(",
    );
    query.push_bind(pattern.clone());
    query
        .push(") or lower(name) like lower(")
        .push_bind(pattern);
    query.push("))");
    // Better matches belong to an earlier rank, which is a list of its own.
    let better = patterns(text).filter(|(found, _)| rank.is_some_and(|rank| *found < rank));
    if let Some((_, pattern)) = better.last() {
        query
            .push(" and not (lower(sku) like lower(")
            .push_bind(pattern.clone());
        query
            .push(") or lower(name) like lower(")
            .push_bind(pattern);
        query.push("))");
    }
    // With more than MAX_TERMS terms, emit COUNT_LIMIT + 1 dummy rows, so that this lookup exceeds the limit and
    // the list is scanned.
    query.push(format_args!(
        " limit {}) \
         select line.order_id from terms, \
         lateral (select order_id from order_items where sku collate \"C\" = terms.sku offset 0) line \
         union all \
         select 0 from generate_series(1, {}) where (select count(*) from terms) > {MAX_TERMS})",
        MAX_TERMS + 1,
        COUNT_LIMIT + 1,
    ));
}
