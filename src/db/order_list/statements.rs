//! The statements that read the keys of a list. Only this module builds SQL at run time; every value is a
//! bind parameter, never part of the text.
//!
//! Only index scans of all orders, of one customer or of one status stay prepared. The best plan of any
//! other statement depends on its values, and a prepared statement would keep one generic plan.

use rust_decimal::Decimal;
use sqlx::{PgConnection, Postgres, QueryBuilder};
use time::OffsetDateTime;

use crate::db::Error;
use crate::domain::search::{OrderFilter, SortBy, SortDir, SortKey, SortValue};
use crate::domain::status::Status as _;

use super::access_path::{AccessPath, IS_ACTIVE, IndexLookup, IndexScan, push_lookup};
use super::filter;
use super::scope::{COUNT_LIMIT, KeyPage, KeyRange, ListScope};

/// The largest number of rows that an index scan reads.
const MAX_SCAN: i64 = 50_000;
/// The largest number of rows that an index scan reads if the filter reads another table for each row.
const MAX_DEEP_SCAN: i64 = 10_000;

/// An id and its sort columns.
#[derive(sqlx::FromRow)]
struct KeyRow {
    order_id: i64,
    created_at: Option<OffsetDateTime>,
    order_total: Option<Decimal>,
}

#[derive(sqlx::FromRow)]
struct CountedRow {
    count: i64,
    order_id: Option<i64>,
    created_at: Option<OffsetDateTime>,
    order_total: Option<Decimal>,
}

/// Reads keys by an access path, and counts the list.
pub async fn find(
    conn: &mut PgConnection,
    scope: ListScope<'_>,
    path: &AccessPath,
    range: KeyRange,
) -> Result<KeyPage, Error> {
    match path {
        AccessPath::Lookup(lookup) => look_up(conn, scope, lookup, range).await,
        AccessPath::Scan(index) => scan(conn, scope, *index, range).await,
    }
}

/// Looks the orders of one condition up, and sorts them.
async fn look_up(
    conn: &mut PgConnection,
    scope: ListScope<'_>,
    lookup: &IndexLookup,
    range: KeyRange,
) -> Result<KeyPage, Error> {
    let mut query =
        QueryBuilder::new("with looked_up as materialized (select distinct order_id from (");
    push_lookup(&mut query, lookup, scope.filter);
    // The limit keeps the planner from a join that reads all orders.
    query.push(
        ") looked_up), matches as materialized (\
         select o.order_id, o.created_at, o.order_total from looked_up, \
         lateral (select * from orders where orders.order_id = looked_up.order_id limit 1) o where true",
    );
    filter::push(&mut query, scope.filter, scope.rank);
    query.push(
        ") select (select count(*) from matches) as count, o.order_id, o.created_at, o.order_total \
         from (select) once left join (select * from matches o where true",
    );
    push_keyset(&mut query, scope, range.after);
    push_order(&mut query, scope);
    query.push(" limit ").push_bind(range.limit);
    query.push(" offset ").push_bind(range.offset);
    query.push(") o on true");
    push_order(&mut query, scope);
    let rows: Vec<CountedRow> = query
        .build_query_as()
        .persistent(false)
        .fetch_all(conn)
        .await?;
    let (count, keys) = counted(scope, rows);
    Ok(KeyPage {
        count,
        count_capped: false,
        keys,
        stopped_at: None,
    })
}

/// Scans an index in the list's order, up to a bound, and counts the list.
async fn scan(
    conn: &mut PgConnection,
    scope: ListScope<'_>,
    index: IndexScan,
    range: KeyRange,
) -> Result<KeyPage, Error> {
    let uncovered = uncovered(scope, index);
    let mut query = QueryBuilder::new("select ");
    if range.counting {
        push_count(&mut query, scope, index, uncovered.as_ref());
    } else {
        query.push("0::bigint");
    }
    query.push(" as count, o.order_id, o.created_at, o.order_total from (select) once left join (");
    query
        .push("select o.order_id, ")
        .push(sorted_columns(scope));
    push_matches(&mut query, scope, index, range.after, uncovered.as_ref());
    push_order(&mut query, scope);
    // Part of the text: the plan of a prepared statement would not know that a bound limit is small.
    query.push(format_args!(" limit {}", range.limit));
    if range.offset > 0 {
        query.push(format_args!(" offset {}", range.offset));
    }
    query.push(") o on true");
    push_order(&mut query, scope);
    let stays_prepared = uncovered.is_none() && range.offset == 0 && !is_bounded(scope.filter);
    let rows: Vec<CountedRow> = query
        .build_query_as()
        .persistent(stays_prepared)
        .fetch_all(&mut *conn)
        .await?;
    let (count, keys) = counted(scope, rows);
    let is_short = i64::try_from(keys.len()).unwrap_or(i64::MAX) < range.limit;
    let (mut count_capped, mut stopped_at) = (!range.counting || count > COUNT_LIMIT, None);
    if let Some(uncovered) = &uncovered {
        let scan_limit = scan_limit(uncovered);
        if !count_capped {
            let scope = counting(scope);
            count_capped = scan_end(conn, scope, index, None, scan_limit)
                .await?
                .is_some();
        }
        if is_short {
            stopped_at = scan_end(conn, scope, index, range.after, scan_limit).await?;
        }
    }
    Ok(KeyPage {
        count,
        count_capped,
        keys,
        stopped_at,
    })
}

/// Appends the scanned rows that match, up to the bound of the scan.
fn push_matches(
    query: &mut QueryBuilder<Postgres>,
    scope: ListScope<'_>,
    index: IndexScan,
    after: Option<SortKey>,
    uncovered: Option<&OrderFilter>,
) {
    let Some(uncovered) = uncovered else {
        query.push(" from orders o where true");
        push_scan(query, scope, index, after);
        return;
    };
    query.push(" from (select * from orders o where true");
    push_scan(query, scope, index, after);
    push_order(query, scope);
    query.push(format_args!(
        " limit {}) o where true",
        scan_limit(uncovered)
    ));
    filter::push(query, uncovered, scope.rank);
}

/// Appends the list's total count, bounded by [`COUNT_LIMIT`].
fn push_count(
    query: &mut QueryBuilder<Postgres>,
    scope: ListScope<'_>,
    index: IndexScan,
    uncovered: Option<&OrderFilter>,
) {
    query.push("(select count(*) from (select");
    push_matches(query, counting(scope), index, None, uncovered);
    query.push(format_args!(" limit {}) counted)", COUNT_LIMIT + 1));
}

/// The sort order in which a scan counts. By default the newest orders first, because they lie together in
/// the table.
fn counting(scope: ListScope<'_>) -> ListScope<'_> {
    let is_bound = scope.filter.min_total.or(scope.filter.max_total).is_some();
    match scope.sort_by {
        SortBy::Total if is_bound => scope,
        _ => ListScope {
            sort_by: SortBy::CreatedAt,
            sort_dir: SortDir::Desc,
            ..scope
        },
    }
}

fn is_bounded(filter: &OrderFilter) -> bool {
    filter.created_from.or(filter.created_to).is_some()
        || filter.min_total.or(filter.max_total).is_some()
}

fn counted(scope: ListScope<'_>, rows: Vec<CountedRow>) -> (i64, Vec<SortKey>) {
    let count = rows.first().map_or(0, |row| row.count);
    let keys = rows.into_iter().filter_map(|row| {
        let row = KeyRow {
            order_id: row.order_id?,
            created_at: row.created_at,
            order_total: row.order_total,
        };
        Some(key(scope, row))
    });
    (count, keys.collect())
}

/// The key at which a scan of `scan_limit` rows ends; `None` when the index ends before.
async fn scan_end(
    conn: &mut PgConnection,
    scope: ListScope<'_>,
    index: IndexScan,
    after: Option<SortKey>,
    scan_limit: i64,
) -> Result<Option<SortKey>, Error> {
    let mut query = QueryBuilder::new("select o.order_id, ");
    query.push(sorted_columns(scope));
    query.push(" from orders o where true");
    push_scan(&mut query, scope, index, after);
    push_order(&mut query, scope);
    query.push(format_args!(" limit 1 offset {}", scan_limit - 1));
    let row: Option<KeyRow> = query
        .build_query_as()
        .persistent(false)
        .fetch_optional(conn)
        .await?;
    Ok(row.map(|row| key(scope, row)))
}

fn scan_limit(uncovered: &OrderFilter) -> i64 {
    let looks_elsewhere = uncovered.sku.is_some()
        || uncovered.search.is_some()
        || uncovered.needs_attention.is_some();
    if looks_elsewhere {
        MAX_DEEP_SCAN
    } else {
        MAX_SCAN
    }
}

/// The part of the filter that the index does not cover; `None` when it covers all.
fn uncovered(scope: ListScope<'_>, index: IndexScan) -> Option<OrderFilter> {
    let mut uncovered = scope.filter.clone();
    match index {
        IndexScan::All => {}
        IndexScan::Customer => uncovered.customer_id = None,
        IndexScan::Active(_) => uncovered.order_statuses.clear(),
    }
    match scope.sort_by {
        SortBy::CreatedAt => (uncovered.created_from, uncovered.created_to) = (None, None),
        SortBy::Total => (uncovered.min_total, uncovered.max_total) = (None, None),
        SortBy::OrderId | SortBy::Relevance => {}
    }
    (uncovered != OrderFilter::default()).then_some(uncovered)
}

/// Appends the conditions that the index covers, and the start of the scan.
fn push_scan(
    query: &mut QueryBuilder<Postgres>,
    scope: ListScope<'_>,
    index: IndexScan,
    after: Option<SortKey>,
) {
    match index {
        IndexScan::All => {}
        IndexScan::Customer => {
            let customer_id = scope.filter.customer_id.map(|customer_id| customer_id.0);
            query.push(" and o.customer_id = ").push_bind(customer_id);
        }
        IndexScan::Active(status) => {
            query
                .push(format_args!(" and {IS_ACTIVE} and o.order_status = "))
                .push_bind(status.as_str());
        }
    }
    match scope.sort_by {
        SortBy::CreatedAt => filter::push_created(query, scope.filter),
        SortBy::Total => filter::push_total(query, scope.filter),
        SortBy::OrderId | SortBy::Relevance => {}
    }
    push_keyset(query, scope, after);
}

/// Appends the seek condition of keyset pagination: only rows behind the key of the cursor.
fn push_keyset(query: &mut QueryBuilder<Postgres>, scope: ListScope<'_>, after: Option<SortKey>) {
    let Some(SortKey { value, order_id }) = after else {
        return;
    };
    let operator = match scope.sort_dir {
        SortDir::Asc => ">",
        SortDir::Desc => "<",
    };
    match value {
        SortValue::CreatedAt(created_at) => {
            query.push(format_args!(" and (o.created_at, o.order_id) {operator} ("));
            query.push_bind(created_at).push(", ");
            query.push_bind(order_id).push(")");
        }
        SortValue::Total(total) => {
            query.push(format_args!(
                " and (o.order_total, o.order_id) {operator} ("
            ));
            query.push_bind(total).push(", ");
            query.push_bind(order_id).push(")");
        }
        SortValue::OrderId | SortValue::Relevance(_) => {
            query.push(format_args!(" and o.order_id {operator} "));
            query.push_bind(order_id);
        }
    }
}

fn push_order(query: &mut QueryBuilder<Postgres>, scope: ListScope<'_>) {
    let direction = match scope.sort_dir {
        SortDir::Asc => "asc",
        SortDir::Desc => "desc",
    };
    let column = match scope.sort_by {
        SortBy::CreatedAt => Some("created_at"),
        SortBy::Total => Some("order_total"),
        SortBy::OrderId | SortBy::Relevance => None,
    };
    query.push(" order by ");
    if let Some(column) = column {
        query.push(format_args!("o.{column} {direction}, "));
    }
    query.push(format_args!("o.order_id {direction}"));
}

/// The sort column, and null for the other one, so that an index-only scan is possible.
fn sorted_columns(scope: ListScope<'_>) -> &'static str {
    match scope.sort_by {
        SortBy::CreatedAt => "o.created_at, null::numeric as order_total",
        SortBy::Total => "null::timestamptz as created_at, o.order_total",
        SortBy::OrderId | SortBy::Relevance => {
            "null::timestamptz as created_at, null::numeric as order_total"
        }
    }
}

fn key(scope: ListScope<'_>, row: KeyRow) -> SortKey {
    let value = match (scope.sort_by, row.created_at, row.order_total) {
        (SortBy::CreatedAt, Some(created_at), _) => SortValue::CreatedAt(created_at),
        (SortBy::Total, _, Some(total)) => SortValue::Total(total),
        (SortBy::Relevance, ..) => scope.rank.map_or(SortValue::OrderId, SortValue::Relevance),
        _ => SortValue::OrderId,
    };
    SortKey {
        value,
        order_id: row.order_id,
    }
}
