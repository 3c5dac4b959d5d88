//! Lists of everything that a peer has, page by page. The contract has none: a peer may have them.

use serde_json::Value;

use crate::domain::ids::OrderId;

use super::answer::{CallFailure, CallOutcome};
use super::reply::Reply;
use super::{json, list};

/// How many records a page should have.
const PAGE_SIZE: usize = 100;

/// A page of a peer's list.
#[derive(Clone, Debug)]
pub struct ListingPage<T> {
    /// What is on it.
    pub records: Vec<ListedRecord<T>>,
    /// Where the list goes on, if it does.
    pub next: Option<ListingCursor>,
}

impl<T> ListingPage<T> {
    /// The same of other records.
    pub fn map<U>(self, record: impl Fn(T) -> U) -> ListingPage<U> {
        let records = self.records.into_iter().map(|listed| ListedRecord {
            order_id: listed.order_id,
            record: record(listed.record),
        });
        ListingPage {
            records: records.collect(),
            next: self.next,
        }
    }
}

/// A record and the order that it says it is of.
#[derive(Clone, Debug)]
pub struct ListedRecord<T> {
    /// `None` where it names no order, or not by a number.
    pub order_id: Option<OrderId>,
    /// What the peer has.
    pub record: T,
}

/// A place in a peer's list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListingCursor {
    /// What is asked of the same path: a link to another host, or another path, leads nowhere.
    pub(super) query: String,
    number: usize,
    listed: usize,
    /// How the page before began: one that begins alike is the same again.
    began: Option<Value>,
}

impl ListingCursor {
    /// The beginning of a list.
    pub fn start() -> Self {
        Self::at(1, 0, None)
    }

    fn at(number: usize, listed: usize, began: Option<Value>) -> Self {
        Self {
            query: format!("page={number}&page_size={PAGE_SIZE}"),
            number,
            listed,
            began,
        }
    }
}

/// Reads the page at a cursor. No: the peer has no such list.
pub(super) fn read<T>(
    reply: &Reply,
    name: &str,
    at: &ListingCursor,
    read: impl Fn(&Value) -> Result<T, CallFailure>,
) -> Result<CallOutcome<ListingPage<T>>, CallFailure> {
    if at.number == 1 && matches!(reply.status, 400 | 404 | 405 | 422 | 501) {
        return Ok(CallOutcome::Rejected(reply.refusal()));
    }
    let body = list::body(reply)?;
    let records = list::records(&body, name)?;
    if at.began.is_some() && records.first() == at.began.as_ref() {
        return Err(CallFailure::new("answered the same page again"));
    }
    let next = next(&body, at, records)?;
    let records: Result<_, _> = records
        .iter()
        .map(|record| {
            Ok(ListedRecord {
                order_id: order_id(record),
                record: read(record)?,
            })
        })
        .collect();
    Ok(CallOutcome::Success(ListingPage {
        records: records?,
        next,
    }))
}

fn order_id(record: &Value) -> Option<OrderId> {
    let number = json::count(record.get("order_id")?)?;
    i64::try_from(number).ok().map(OrderId)
}

/// The next page by the peer's link, else by number while it counts more than it has listed.
fn next(
    body: &Value,
    at: &ListingCursor,
    records: &[Value],
) -> Result<Option<ListingCursor>, CallFailure> {
    let listed = at.listed + records.len();
    let Some(first) = records.first() else {
        return Ok(None);
    };
    let by_number = ListingCursor::at(at.number + 1, listed, Some(first.clone()));
    let Some(link) = list::next_link(body) else {
        return Ok(list::says_more(body, listed).then_some(by_number));
    };
    match link.split_once('?') {
        Some((_, query)) if !query.is_empty() => Ok(Some(ListingCursor {
            query: query.split('#').next().unwrap_or_default().to_owned(),
            ..by_number
        })),
        _ => Err(CallFailure::new("answered a next link without a query")),
    }
}
