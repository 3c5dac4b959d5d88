//! Lists of orders, with bounded cost for any size of the table. A page is read in two steps: first its
//! keys, from an index, then these orders with their lines. The total count of a list is bounded.
//!
//! Pages use keyset pagination: a page starts behind a key, which is compared as a row. The thousandth page
//! therefore costs as much as the first, and new orders do not shift pages.

use sqlx::PgConnection;

use crate::domain::order::Order;
use crate::domain::search::{
    MatchRank, OrderListQuery, PagePosition, SortBy, SortDir, SortKey, SortValue,
};

use super::Error;
use super::orders::find_many;

mod access_path;
mod counts;
mod filter;
mod scope;
mod statements;

pub use counts::{StatusCount, counts};
pub use scope::COUNT_LIMIT;
use scope::{KeyPage, KeyRange, ListScope};

/// A page of a list of orders.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OrderListPage {
    /// The list's total count, bounded by [`COUNT_LIMIT`].
    pub count: i64,
    /// Whether the list may have more orders than `count`.
    pub count_capped: bool,
    /// The orders of this page.
    pub orders: Vec<Order>,
    /// The key behind which the next page starts, if the list may go on. A bounded index scan may stop at
    /// a key behind the last order of this page.
    pub next: Option<SortKey>,
    /// The key before which the previous page ends, if there is one.
    pub previous: Option<SortKey>,
}

/// Reads a page and the list's total count.
pub async fn list(conn: &mut PgConnection, query: &OrderListQuery) -> Result<OrderListPage, Error> {
    let offset = match query.position {
        PagePosition::Page(number) => i64::from(number.saturating_sub(1)) * i64::from(query.size),
        _ => 0,
    };
    let page = read_keys(conn, query, offset, true).await?;
    assemble(conn, query, page).await
}

/// Reads a page without the total count, for a caller that reads the whole list page by page.
#[tracing::instrument(name = "db.orders.follow", skip_all)]
pub async fn list_without_count(
    conn: &mut PgConnection,
    query: &OrderListQuery,
) -> Result<OrderListPage, Error> {
    let page = read_keys(conn, query, 0, false).await?;
    assemble(conn, query, page).await
}

/// Reads the keys of a page and one more, which tells whether the list goes on. The keys of
/// [`PagePosition::Before`] come in reverse order.
async fn read_keys(
    conn: &mut PgConnection,
    query: &OrderListQuery,
    offset: i64,
    counting: bool,
) -> Result<KeyPage, Error> {
    let (after, sort_dir) = match query.position {
        PagePosition::First | PagePosition::Page(_) => (None, query.sort_dir),
        PagePosition::After(key) => (Some(key), query.sort_dir),
        PagePosition::Before(key) => (Some(key), query.sort_dir.reversed()),
    };
    let scope = ListScope {
        filter: &query.filter,
        rank: None,
        sort_by: query.sort_by,
        sort_dir,
    };
    let range = KeyRange {
        after,
        offset,
        limit: i64::from(query.size) + 1,
        counting,
    };
    match query.sort_by {
        SortBy::Relevance => read_by_relevance(conn, scope, range).await,
        _ => read_range(conn, scope, range).await,
    }
}

async fn read_range(
    conn: &mut PgConnection,
    scope: ListScope<'_>,
    range: KeyRange,
) -> Result<KeyPage, Error> {
    let path = access_path::choose(conn, scope).await?;
    statements::find(conn, scope, &path, range).await
}

/// A list by relevance is one list per rank, one after the other.
async fn read_by_relevance(
    conn: &mut PgConnection,
    scope: ListScope<'_>,
    range: KeyRange,
) -> Result<KeyPage, Error> {
    let mut ranks = MatchRank::ALL;
    if scope.sort_dir == SortDir::Asc {
        ranks.reverse();
    }
    let mut page = KeyPage::default();
    for rank in ranks {
        let start = range.after.map(|key| key.value);
        let precedes_start = match (start, scope.sort_dir) {
            (Some(SortValue::Relevance(start)), SortDir::Desc) => rank < start,
            (Some(SortValue::Relevance(start)), SortDir::Asc) => rank > start,
            _ => false,
        };
        let read = i64::try_from(page.keys.len()).unwrap_or(i64::MAX);
        let missing = range.offset + range.limit - read;
        let is_complete = precedes_start || missing <= 0 || page.stopped_at.is_some();
        if is_complete && !range.counting {
            continue;
        }
        let scope = ListScope {
            rank: Some(rank),
            ..scope
        };
        let range = KeyRange {
            after: range
                .after
                .filter(|key| key.value == SortValue::Relevance(rank)),
            offset: 0,
            limit: if is_complete { 0 } else { missing },
            counting: range.counting,
        };
        let part = read_range(conn, scope, range).await?;
        page.count += part.count;
        page.count_capped |= part.count_capped;
        page.keys.extend(part.keys);
        page.stopped_at = page.stopped_at.or(part.stopped_at);
    }
    let offset = usize::try_from(range.offset).unwrap_or(usize::MAX);
    page.keys.drain(..offset.min(page.keys.len()));
    Ok(page)
}

/// Reads the orders of a page, and determines the keys of its neighbours.
async fn assemble(
    conn: &mut PgConnection,
    query: &OrderListQuery,
    mut page: KeyPage,
) -> Result<OrderListPage, Error> {
    let size = usize::try_from(query.size).unwrap_or(usize::MAX);
    let has_more = page.keys.len() > size;
    page.keys.truncate(size);
    let onwards = match has_more {
        true => page.keys.last().copied(),
        false => page.stopped_at,
    };
    let nearest = page.keys.first().copied();
    let (next, previous) = match query.position {
        PagePosition::First | PagePosition::Page(_) => (onwards, None),
        PagePosition::After(_) => (onwards, nearest),
        PagePosition::Before(_) => {
            page.keys.reverse();
            (nearest, onwards)
        }
    };
    let ids: Vec<i64> = page.keys.iter().map(|key| key.order_id).collect();
    Ok(OrderListPage {
        count: page.count.min(COUNT_LIMIT),
        count_capped: page.count_capped || page.count > COUNT_LIMIT,
        orders: find_many(conn, &ids).await?,
        next,
        previous,
    })
}
