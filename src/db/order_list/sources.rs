//! Where the orders of a list are taken from: a few that an index knows, to be sorted, or an index in
//! the list's own order, to be walked until the page is full.
//!
//! An index that finds no more than [`CAP`] orders is the better way, however far apart they lie in the
//! list. Where each of them finds more, matches are dense enough to be met on a walk, which is bounded
//! all the same.

use sqlx::{PgConnection, Postgres, QueryBuilder};

use crate::db::Error;
use crate::domain::search::{MatchRank, OrderFilter, SortBy};
use crate::domain::status::{OrderStatus, PaymentStatus, ShippingStatus, Status};

use super::filter::{self, MIN_PART_CHARS, OPEN, patterns};
use super::{CAP, Scope};

/// How many SKUs a text may find; one that finds more is met on a walk.
const MAX_TERMS: i64 = 1_000;

/// The condition of the index of what is under way, word for word, so that the planner knows it again.
pub const IS_ACTIVE: &str = "o.order_status in ('PENDING', 'CONFIRMED', 'SHIPPED', 'CANCELLING')";
/// The order statuses that have an index.
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

/// Where orders are taken from.
pub enum Source {
    /// The orders that this finds, gathered and sorted.
    Few(Few),
    /// An index in the order of the list.
    Walk(Walk),
}

/// The part of the filter that an index in the order of the list knows itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Walk {
    /// Nothing but the bounds of what is sorted by.
    All,
    /// One customer's orders, by when they were accepted.
    Customer,
    /// The orders of one status under way, by when they were accepted.
    Active(OrderStatus),
}

/// A condition that has an index.
#[derive(Clone, Debug)]
pub enum Few {
    /// A customer's orders.
    Customer,
    /// Those under way, in these statuses.
    Active(Vec<OrderStatus>),
    /// Those that came to one of these statuses, which few do.
    Rare(Vec<String>),
    /// Those whose fulfilment waits for a person.
    NeedsAttention,
    /// Those with a SKU.
    Sku,
    /// What the search text finds.
    Search(String, Option<MatchRank>),
    /// Those accepted within bounds.
    Created,
    /// Those of a total within bounds.
    Total,
}

/// Chooses by looking: counts what each index finds, up to a limit.
pub async fn choose(conn: &mut PgConnection, scope: Scope<'_>) -> Result<Source, Error> {
    let walk = walk(scope);
    if walk == Walk::Customer {
        return Ok(Source::Walk(walk));
    }
    let mut candidates = candidates(scope);
    if candidates.is_empty() {
        return Ok(Source::Walk(walk));
    }
    let mut query = QueryBuilder::new("select array[");
    for (index, few) in candidates.iter().enumerate() {
        query.push(if index == 0 { "" } else { ", " });
        query.push("(select count(*) from (select from (");
        push_few(&mut query, few, scope.filter);
        query.push(format_args!(") few limit {}) counted)", CAP + 1));
    }
    query.push("]");
    let counts: Vec<i64> = query
        .build_query_scalar()
        .persistent(false)
        .fetch_one(conn)
        .await?;
    let best = counts.iter().enumerate().min_by_key(|(_, count)| **count);
    Ok(match best {
        Some((index, count)) if *count <= CAP => Source::Few(candidates.swap_remove(index)),
        _ => Source::Walk(walk),
    })
}

/// The index to walk in the order of the list.
fn walk(scope: Scope<'_>) -> Walk {
    if scope.sort_by != SortBy::CreatedAt {
        return Walk::All;
    }
    match (
        scope.filter.customer_id,
        scope.filter.order_statuses.as_slice(),
    ) {
        (Some(_), _) => Walk::Customer,
        (None, [status]) if ACTIVE.contains(status) => Walk::Active(*status),
        _ => Walk::All,
    }
}

/// Every condition of the filter that has an index.
fn candidates(scope: Scope<'_>) -> Vec<Few> {
    let filter = scope.filter;
    let mut found = Vec::new();
    if filter.customer_id.is_some() {
        found.push(Few::Customer);
    }
    if is_within(&filter.order_statuses, &ACTIVE) {
        found.push(Few::Active(filter.order_statuses.clone()));
    }
    if filter.open == Some(true) {
        found.push(Few::Active(OPEN.to_vec()));
    }
    found.extend(rare("order", &filter.order_statuses, &RARE));
    found.extend(rare("payment", &filter.payment_statuses, &RARE_PAYMENT));
    found.extend(rare("shipping", &filter.shipping_statuses, &RARE_SHIPPING));
    if filter.needs_attention == Some(true) {
        found.push(Few::NeedsAttention);
    }
    if filter.sku.is_some() {
        found.push(Few::Sku);
    }
    if let Some(text) = &filter.search {
        found.push(Few::Search(text.clone(), scope.rank));
    }
    if filter.created_from.or(filter.created_to).is_some() && scope.sort_by != SortBy::CreatedAt {
        found.push(Few::Created);
    }
    if filter.min_total.or(filter.max_total).is_some() && scope.sort_by != SortBy::Total {
        found.push(Few::Total);
    }
    found
}

fn is_within<S: Status>(statuses: &[S], known: &[S]) -> bool {
    !statuses.is_empty() && statuses.iter().all(|status| known.contains(status))
}

fn rare<S: Status>(kind: &str, statuses: &[S], known: &[S]) -> Option<Few> {
    let name = |status: &S| format!("{kind}:{}", status.as_str());
    is_within(statuses, known).then(|| Few::Rare(statuses.iter().map(name).collect()))
}

/// Appends a query for the numbers of these orders, some of them twice. It may find more than the
/// condition lets through, never less.
pub fn push_few(query: &mut QueryBuilder<Postgres>, few: &Few, filter: &OrderFilter) {
    match few {
        Few::Customer => {
            let number = filter.customer_id.map(|customer_id| customer_id.0);
            query
                .push("select o.order_id from orders o where o.customer_id = ")
                .push_bind(number);
            filter::push_created(query, filter);
        }
        Few::Active(statuses) => {
            query.push(format_args!(
                "select o.order_id from orders o where {IS_ACTIVE}"
            ));
            filter::push_statuses(query, "order_status", statuses, true);
        }
        Few::Rare(statuses) => {
            query
                .push("select order_id from rare_statuses where status = any(")
                .push_bind(statuses.clone())
                .push(")");
        }
        Few::NeedsAttention => {
            query.push(
                "select order_id from fulfilments \
                 where phase in ('doing', 'recalling', 'undoing', 'stuck') and phase = 'stuck'",
            );
        }
        Few::Sku => {
            query
                .push("select order_id from order_items where sku collate \"C\" = ")
                .push_bind(filter.sku.clone());
        }
        Few::Search(text, rank) => push_search(query, text, *rank),
        Few::Created => {
            query.push("select o.order_id from orders o where true");
            filter::push_created(query, filter);
        }
        Few::Total => {
            query.push("select o.order_id from orders o where true");
            filter::push_total(query, filter);
        }
    }
}

/// Each way of finding an order has its own index; together they are a union of numbers.
fn push_search(query: &mut QueryBuilder<Postgres>, text: &str, rank: Option<MatchRank>) {
    let is_exact = rank.is_none_or(|rank| rank == MatchRank::Exact);
    if is_exact {
        query
            .push("select order_id from orders where tracking_no = ")
            .push_bind(text.to_owned());
        if let Ok(number) = text.parse::<i64>() {
            query.push(" union all select ").push_bind(number);
            query
                .push(" union all select order_id from orders where customer_id = ")
                .push_bind(number);
            query
                .push(" union all select order_id from order_items where product_id = ")
                .push_bind(number);
        }
        query.push(" union all ");
    }
    // The widest pattern finds what the narrower ones do.
    let wanted = rank.unwrap_or(if text.chars().count() < MIN_PART_CHARS {
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
    // What fits better belongs to a rank before, which is another list.
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
    query.push(format_args!(
        " limit {}) \
         select line.order_id from terms, \
         lateral (select order_id from order_items where sku collate \"C\" = terms.sku offset 0) line \
         union all \
         select 0 from generate_series(1, {}) where (select count(*) from terms) > {MAX_TERMS})",
        MAX_TERMS + 1,
        CAP + 1,
    ));
}
