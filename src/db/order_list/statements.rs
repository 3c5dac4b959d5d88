//! The statements that find the numbers of a list. The only place, with its neighbours, where SQL is
//! put together at run time; every value is bound, never written into the text.
//!
//! Only walks along all orders, a customer's or those of one status are kept prepared. Of anything else
//! the best plan depends on the values, and a generic plan would be kept for all of them.

use rust_decimal::Decimal;
use sqlx::{PgConnection, Postgres, QueryBuilder};
use time::OffsetDateTime;

use crate::db::Error;
use crate::domain::search::{OrderFilter, SortBy, SortDir, SortKey, SortValue};
use crate::domain::status::Status as _;

use super::filter;
use super::sources::{Few, IS_ACTIVE, Source, Walk, push_few};
use super::{CAP, Part, Scope};

/// How many rows a walk looks at.
const MAX_WALK: i64 = 50_000;
/// The same where each has to be looked up in another table.
const MAX_DEEP_WALK: i64 = 10_000;

/// Which keys are wanted.
#[derive(Clone, Copy)]
pub struct Found {
    /// Behind which one.
    pub from: Option<SortKey>,
    /// After how many others.
    pub offset: i64,
    /// How many.
    pub wanted: i64,
    /// Whether to count all that the filter lets through.
    pub counting: bool,
}

/// A number and what it is sorted by.
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

/// Finds keys and counts.
pub async fn find(
    conn: &mut PgConnection,
    scope: Scope<'_>,
    source: &Source,
    found: Found,
) -> Result<Part, Error> {
    match source {
        Source::Few(few) => gather(conn, scope, few, found).await,
        Source::Walk(walk) => along(conn, scope, *walk, found).await,
    }
}

/// Gathers the orders of a condition that few meet, and sorts them.
async fn gather(
    conn: &mut PgConnection,
    scope: Scope<'_>,
    few: &Few,
    found: Found,
) -> Result<Part, Error> {
    let mut query = QueryBuilder::new("with few as materialized (select distinct order_id from (");
    push_few(&mut query, few, scope.filter);
    // The limit keeps the planner from reading all orders to join these few.
    query.push(
        ") few), matches as materialized (\
         select o.order_id, o.created_at, o.order_total from few, \
         lateral (select * from orders where orders.order_id = few.order_id limit 1) o where true",
    );
    filter::push(&mut query, scope.filter, scope.rank);
    query.push(
        ") select (select count(*) from matches) as count, o.order_id, o.created_at, o.order_total \
         from (select) once left join (select * from matches o where true",
    );
    push_from(&mut query, scope, found.from);
    push_order(&mut query, scope);
    query.push(" limit ").push_bind(found.wanted);
    query.push(" offset ").push_bind(found.offset);
    query.push(") o on true");
    push_order(&mut query, scope);
    let rows: Vec<CountedRow> = query
        .build_query_as()
        .persistent(false)
        .fetch_all(conn)
        .await?;
    let (count, keys) = counted(scope, rows);
    Ok(Part {
        count,
        count_capped: false,
        keys,
        stopped: None,
    })
}

/// Walks along an index in the order of the list, no further than a bound, and counts meanwhile.
async fn along(
    conn: &mut PgConnection,
    scope: Scope<'_>,
    walk: Walk,
    found: Found,
) -> Result<Part, Error> {
    let rest = rest(scope, walk);
    let mut query = QueryBuilder::new("select ");
    if found.counting {
        push_count(&mut query, scope, walk, rest.as_ref());
    } else {
        query.push("0::bigint");
    }
    query.push(" as count, o.order_id, o.created_at, o.order_total from (select) once left join (");
    query
        .push("select o.order_id, ")
        .push(sorted_columns(scope));
    push_reached(&mut query, scope, walk, found.from, rest.as_ref());
    push_order(&mut query, scope);
    // Written into the text, since a plan that is kept cannot know that a bound limit is small.
    query.push(format_args!(" limit {}", found.wanted));
    if found.offset > 0 {
        query.push(format_args!(" offset {}", found.offset));
    }
    query.push(") o on true");
    push_order(&mut query, scope);
    let is_plain = rest.is_none() && found.offset == 0 && !is_bounded(scope.filter);
    let rows: Vec<CountedRow> = query
        .build_query_as()
        .persistent(is_plain)
        .fetch_all(&mut *conn)
        .await?;
    let (count, keys) = counted(scope, rows);
    let is_short = i64::try_from(keys.len()).unwrap_or(i64::MAX) < found.wanted;
    let (mut count_capped, mut stopped) = (!found.counting || count > CAP, None);
    if let Some(rest) = &rest {
        let reach = reach(rest);
        if !count_capped {
            let (scope, from) = (counting(scope), None);
            count_capped = stop(conn, scope, walk, from, reach).await?.is_some();
        }
        if is_short {
            stopped = stop(conn, scope, walk, found.from, reach).await?;
        }
    }
    Ok(Part {
        count,
        count_capped,
        keys,
        stopped,
    })
}

/// Appends the rows of a walk that are let through, as far as it reaches.
fn push_reached(
    query: &mut QueryBuilder<Postgres>,
    scope: Scope<'_>,
    walk: Walk,
    from: Option<SortKey>,
    rest: Option<&OrderFilter>,
) {
    let Some(rest) = rest else {
        query.push(" from orders o where true");
        push_walk(query, scope, walk, from);
        return;
    };
    query.push(" from (select * from orders o where true");
    push_walk(query, scope, walk, from);
    push_order(query, scope);
    query.push(format_args!(" limit {}) o where true", reach(rest)));
    filter::push(query, rest, scope.rank);
}

/// Appends how many are let through, counted up to a limit.
fn push_count(
    query: &mut QueryBuilder<Postgres>,
    scope: Scope<'_>,
    walk: Walk,
    rest: Option<&OrderFilter>,
) {
    query.push("(select count(*) from (select");
    push_reached(query, counting(scope), walk, None, rest);
    query.push(format_args!(" limit {}) counted)", CAP + 1));
}

/// Along which index a walk counts. The newest lie together in the table; those of one total are all
/// over it.
fn counting(scope: Scope<'_>) -> Scope<'_> {
    let is_bound = scope.filter.min_total.or(scope.filter.max_total).is_some();
    match scope.sort_by {
        SortBy::Total if is_bound => scope,
        _ => Scope {
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

fn counted(scope: Scope<'_>, rows: Vec<CountedRow>) -> (i64, Vec<SortKey>) {
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

/// Where a walk of that length ends; `None` when the list ends before.
async fn stop(
    conn: &mut PgConnection,
    scope: Scope<'_>,
    walk: Walk,
    from: Option<SortKey>,
    reach: i64,
) -> Result<Option<SortKey>, Error> {
    let mut query = QueryBuilder::new("select o.order_id, ");
    query.push(sorted_columns(scope));
    query.push(" from orders o where true");
    push_walk(&mut query, scope, walk, from);
    push_order(&mut query, scope);
    query.push(format_args!(" limit 1 offset {}", reach - 1));
    let row: Option<KeyRow> = query
        .build_query_as()
        .persistent(false)
        .fetch_optional(conn)
        .await?;
    Ok(row.map(|row| key(scope, row)))
}

fn reach(rest: &OrderFilter) -> i64 {
    let looks_elsewhere =
        rest.sku.is_some() || rest.search.is_some() || rest.needs_attention.is_some();
    if looks_elsewhere {
        MAX_DEEP_WALK
    } else {
        MAX_WALK
    }
}

/// What is left of the filter beside what the walk knows itself; `None` for nothing.
fn rest(scope: Scope<'_>, walk: Walk) -> Option<OrderFilter> {
    let mut rest = scope.filter.clone();
    match walk {
        Walk::All => {}
        Walk::Customer => rest.customer_id = None,
        Walk::Active(_) => rest.order_statuses.clear(),
    }
    match scope.sort_by {
        SortBy::CreatedAt => (rest.created_from, rest.created_to) = (None, None),
        SortBy::Total => (rest.min_total, rest.max_total) = (None, None),
        SortBy::OrderId | SortBy::Relevance => {}
    }
    (rest != OrderFilter::default()).then_some(rest)
}

/// Appends what the walk knows itself, and where it begins.
fn push_walk(
    query: &mut QueryBuilder<Postgres>,
    scope: Scope<'_>,
    walk: Walk,
    from: Option<SortKey>,
) {
    match walk {
        Walk::All => {}
        Walk::Customer => {
            let number = scope.filter.customer_id.map(|customer_id| customer_id.0);
            query.push(" and o.customer_id = ").push_bind(number);
        }
        Walk::Active(status) => {
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
    push_from(query, scope, from);
}

/// Appends that an order comes behind a key.
fn push_from(query: &mut QueryBuilder<Postgres>, scope: Scope<'_>, from: Option<SortKey>) {
    let Some(SortKey { value, order_id }) = from else {
        return;
    };
    let operator = match scope.sort_dir {
        SortDir::Asc => ">",
        SortDir::Desc => "<",
    };
    match value {
        SortValue::CreatedAt(moment) => {
            query.push(format_args!(" and (o.created_at, o.order_id) {operator} ("));
            query.push_bind(moment).push(", ");
            query.push_bind(order_id).push(")");
        }
        SortValue::Total(amount) => {
            query.push(format_args!(
                " and (o.order_total, o.order_id) {operator} ("
            ));
            query.push_bind(amount).push(", ");
            query.push_bind(order_id).push(")");
        }
        SortValue::OrderId | SortValue::Relevance(_) => {
            query.push(format_args!(" and o.order_id {operator} "));
            query.push_bind(order_id);
        }
    }
}

fn push_order(query: &mut QueryBuilder<Postgres>, scope: Scope<'_>) {
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

/// The column that is sorted by and nothing for the other one, so that the index alone will do.
fn sorted_columns(scope: Scope<'_>) -> &'static str {
    match scope.sort_by {
        SortBy::CreatedAt => "o.created_at, null::numeric as order_total",
        SortBy::Total => "null::timestamptz as created_at, o.order_total",
        SortBy::OrderId | SortBy::Relevance => {
            "null::timestamptz as created_at, null::numeric as order_total"
        }
    }
}

fn key(scope: Scope<'_>, row: KeyRow) -> SortKey {
    let value = match (scope.sort_by, row.created_at, row.order_total) {
        (SortBy::CreatedAt, Some(moment), _) => SortValue::CreatedAt(moment),
        (SortBy::Total, _, Some(amount)) => SortValue::Total(amount),
        (SortBy::Relevance, ..) => scope.rank.map_or(SortValue::OrderId, SortValue::Relevance),
        _ => SortValue::OrderId,
    };
    SortKey {
        value,
        order_id: row.order_id,
    }
}
