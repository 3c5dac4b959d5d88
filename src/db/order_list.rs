//! Lists of orders, bounded whatever the size of the table: first the numbers of a page by an index,
//! then these orders whole. How many there are is counted as far as that is cheap.
//!
//! Where a list begins is a key, compared as a row, so that the thousandth page costs what the first
//! one does, and an order placed meanwhile moves none.

use sqlx::PgConnection;

use crate::domain::order::Order;
use crate::domain::search::{
    MatchRank, OrderFilter, OrderListQuery, PagePosition, SortBy, SortDir, SortKey, SortValue,
};

use super::Error;
use super::orders::of_numbers;

mod counts;
mod filter;
mod sources;
mod statements;

pub use counts::{StatusCount, counts};
use statements::Found;

/// How many matches are counted, and how many are gathered to be sorted.
pub const CAP: i64 = 10_000;

/// A part of a list.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Listing {
    /// How many orders the filter lets through, as far as they were counted.
    pub count: i64,
    /// Whether there are more than were counted.
    pub count_capped: bool,
    /// Those of this part.
    pub orders: Vec<Order>,
    /// After which place the list goes on, if it does. There may be orders between the last one here
    /// and it that the filter does not let through.
    pub next: Option<SortKey>,
    /// Before which place the list has more, if it is known to have.
    pub previous: Option<SortKey>,
}

/// A list without its beginning: what is asked of each order and how they are sorted.
#[derive(Clone, Copy)]
struct Scope<'a> {
    filter: &'a OrderFilter,
    /// Only what fits the search text so well.
    rank: Option<MatchRank>,
    sort_by: SortBy,
    sort_dir: SortDir,
}

/// The keys of a part of a list.
#[derive(Default)]
struct Part {
    count: i64,
    count_capped: bool,
    keys: Vec<SortKey>,
    /// Where the search was given up, with fewer keys than were wanted.
    stopped: Option<SortKey>,
}

/// Answers a search.
pub async fn list(conn: &mut PgConnection, search: &OrderListQuery) -> Result<Listing, Error> {
    let part = part(conn, search).await?;
    assemble(conn, search, part).await
}

/// The orders of a part, without counting: for whoever reads the whole list.
#[tracing::instrument(name = "db.orders.follow", skip_all)]
pub async fn follow(conn: &mut PgConnection, search: &OrderListQuery) -> Result<Listing, Error> {
    let wanted = i64::from(search.size) + 1;
    let found = read(conn, search, 0, wanted, false).await?;
    assemble(conn, search, found).await
}

async fn part(conn: &mut PgConnection, search: &OrderListQuery) -> Result<Part, Error> {
    let wanted = i64::from(search.size) + 1;
    let offset = match search.position {
        PagePosition::Page(number) => i64::from(number.saturating_sub(1)) * i64::from(search.size),
        _ => 0,
    };
    read(conn, search, offset, wanted, true).await
}

/// Reads keys in the direction of the place: for [`PagePosition::Before`] from there backwards.
async fn read(
    conn: &mut PgConnection,
    search: &OrderListQuery,
    offset: i64,
    wanted: i64,
    counting: bool,
) -> Result<Part, Error> {
    let (from, backwards) = match search.position {
        PagePosition::First | PagePosition::Page(_) => (None, false),
        PagePosition::After(key) => (Some(key), false),
        PagePosition::Before(key) => (Some(key), true),
    };
    let sort_dir = match backwards {
        true => search.sort_dir.reversed(),
        false => search.sort_dir,
    };
    let scope = Scope {
        filter: &search.filter,
        rank: None,
        sort_by: search.sort_by,
        sort_dir,
    };
    if search.sort_by != SortBy::Relevance {
        let source = sources::choose(conn, scope).await?;
        let find = Found {
            from,
            offset,
            wanted,
            counting,
        };
        return statements::find(conn, scope, &source, find).await;
    }
    // One list for each rank, one after the other.
    let mut ranks = MatchRank::ALL;
    if sort_dir == SortDir::Asc {
        ranks.reverse();
    }
    let mut whole = Part::default();
    for rank in ranks {
        let begun = from.map(|key| key.value);
        let passed = match (begun, sort_dir) {
            (Some(SortValue::Relevance(begun)), SortDir::Desc) => rank < begun,
            (Some(SortValue::Relevance(begun)), SortDir::Asc) => rank > begun,
            _ => false,
        };
        let missing = offset + wanted - i64::try_from(whole.keys.len()).unwrap_or(i64::MAX);
        let done = passed || missing <= 0 || whole.stopped.is_some();
        if done && !counting {
            continue;
        }
        let scope = Scope {
            rank: Some(rank),
            ..scope
        };
        let source = sources::choose(conn, scope).await?;
        let find = Found {
            from: from.filter(|key| key.value == SortValue::Relevance(rank)),
            offset: 0,
            wanted: if done { 0 } else { missing },
            counting,
        };
        let part = statements::find(conn, scope, &source, find).await?;
        whole.count += part.count;
        whole.count_capped |= part.count_capped;
        whole.keys.extend(part.keys);
        whole.stopped = whole.stopped.or(part.stopped);
    }
    let offset = usize::try_from(offset).unwrap_or(usize::MAX);
    whole.keys.drain(..offset.min(whole.keys.len()));
    Ok(whole)
}

/// Makes a part whole: its orders, and where the list goes on.
async fn assemble(
    conn: &mut PgConnection,
    search: &OrderListQuery,
    mut part: Part,
) -> Result<Listing, Error> {
    let size = usize::try_from(search.size).unwrap_or(usize::MAX);
    let more = part.keys.len() > size;
    part.keys.truncate(size);
    let onwards = match more {
        true => part.keys.last().copied(),
        false => part.stopped,
    };
    let nearest = part.keys.first().copied();
    let (next, previous) = match search.position {
        PagePosition::First | PagePosition::Page(_) => (onwards, None),
        PagePosition::After(_) => (onwards, nearest),
        PagePosition::Before(_) => {
            part.keys.reverse();
            (nearest, onwards)
        }
    };
    let ids: Vec<i64> = part.keys.iter().map(|key| key.order_id).collect();
    Ok(Listing {
        count: part.count.min(CAP),
        count_capped: part.count_capped || part.count > CAP,
        orders: of_numbers(conn, &ids).await?,
        next,
        previous,
    })
}
