//! Pagination of a peer's whole list. The contract does not require such lists, so a peer may lack them.

use serde_json::Value;

use crate::domain::ids::OrderId;

use super::outcome::{CallFailure, CallOutcome};
use super::response::PeerResponse;
use super::{json, list};

/// The page size that the client asks for.
const PAGE_SIZE: usize = 100;

/// A page of a peer's list.
#[derive(Clone, Debug)]
pub struct ListingPage<T> {
    /// The records of the page.
    pub records: Vec<ListedRecord<T>>,
    /// The next page; `None` on the last one.
    pub next: Option<ListingCursor>,
}

impl<T> ListingPage<T> {
    /// Converts the records.
    pub fn map<U>(self, convert: impl Fn(T) -> U) -> ListingPage<U> {
        let records = self.records.into_iter().map(|listed| ListedRecord {
            order_id: listed.order_id,
            record: convert(listed.record),
        });
        ListingPage {
            records: records.collect(),
            next: self.next,
        }
    }
}

/// A record and the order that it names.
#[derive(Clone, Debug)]
pub struct ListedRecord<T> {
    /// `None` if it names no order, or not by a numeric id.
    pub order_id: Option<OrderId>,
    /// The record.
    pub record: T,
}

/// A position in a peer's list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListingCursor {
    /// The query of the next request. Host and path stay the same, whatever the peer's link says.
    pub(super) query: String,
    page_number: usize,
    /// Records on the pages before.
    listed: usize,
    /// The first record of the page before, to detect a peer that repeats a page.
    previous_first: Option<Value>,
}

impl ListingCursor {
    /// The first page.
    pub fn start() -> Self {
        Self::at(1, 0, None)
    }

    fn at(page_number: usize, listed: usize, previous_first: Option<Value>) -> Self {
        Self {
            query: format!("page={page_number}&page_size={PAGE_SIZE}"),
            page_number,
            listed,
            previous_first,
        }
    }
}

/// Reads the page at `cursor`. Rejected if the peer has no such list.
pub(super) fn read<T>(
    response: &PeerResponse,
    name: &str,
    cursor: &ListingCursor,
    read: impl Fn(&Value) -> Result<T, CallFailure>,
) -> Result<CallOutcome<ListingPage<T>>, CallFailure> {
    if cursor.page_number == 1 && matches!(response.status, 400 | 404 | 405 | 422 | 501) {
        return Ok(CallOutcome::Rejected(response.rejection()));
    }
    let body = list::body(response)?;
    let records = list::records(&body, name)?;
    if cursor.previous_first.is_some() && records.first() == cursor.previous_first.as_ref() {
        return Err(CallFailure::new("answered the same page again"));
    }
    let next = next(&body, cursor, records)?;
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
    let id = json::count(record.get("order_id")?)?;
    i64::try_from(id).ok().map(OrderId)
}

/// The next page: by the peer's link, otherwise by page number while its count exceeds what it listed.
fn next(
    body: &Value,
    cursor: &ListingCursor,
    records: &[Value],
) -> Result<Option<ListingCursor>, CallFailure> {
    let listed = cursor.listed + records.len();
    let Some(first) = records.first() else {
        return Ok(None);
    };
    let by_number = ListingCursor::at(cursor.page_number + 1, listed, Some(first.clone()));
    let Some(link) = list::next_link(body) else {
        return Ok(list::counts_more(body, listed).then_some(by_number));
    };
    match link.split_once('?') {
        Some((_, query)) if !query.is_empty() => Ok(Some(ListingCursor {
            query: query.split('#').next().unwrap_or_default().to_owned(),
            ..by_number
        })),
        _ => Err(CallFailure::new("answered a next link without a query")),
    }
}
