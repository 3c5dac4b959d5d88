//! Reads the lists in peers' responses.

use serde_json::Value;

use crate::domain::ids::OrderId;

use super::outcome::CallFailure;
use super::response::PeerResponse;
use super::{json, verification};

/// The records of `order_id` in a list, in the order of the response.
///
/// Drops the records of other orders, which a peer that ignores the filter lists too.
pub(super) fn of_order(
    response: &PeerResponse,
    name: &str,
    order_id: OrderId,
) -> Result<Vec<Value>, CallFailure> {
    let body = body(response)?;
    let records = records(&body, name)?;
    let found: Vec<_> = records
        .iter()
        .filter(|record| verification::may_be_of(record, order_id))
        .cloned()
        .collect();
    if found.is_empty() && has_more(&body, records.len()) {
        return Err(CallFailure::new("answered the first page of other orders"));
    }
    Ok(found)
}

/// The body of a response that should be a list.
pub(super) fn body(response: &PeerResponse) -> Result<Value, CallFailure> {
    if response.status != 200 {
        return Err(response.failure());
    }
    let body = response.json()?;
    match json::success(&body) {
        Some(false) => Err(response.failure()),
        _ => Ok(body),
    }
}

/// The records of a list, which is the body itself or under `items`, `data`, `results` or `name`.
pub(super) fn records<'a>(body: &'a Value, name: &str) -> Result<&'a [Value], CallFailure> {
    let keys = ["items", "data", "results", name];
    let records = json::layers(body, &["data"])
        .into_iter()
        .find_map(|layer| {
            layer
                .as_array()
                .or_else(|| keys.iter().find_map(|key| layer.get(key)?.as_array()))
        })
        .ok_or_else(|| CallFailure::new("answered 200 without a list"))?;
    if records.iter().all(Value::is_object) {
        Ok(records)
    } else {
        Err(CallFailure::new("answered a list of something else"))
    }
}

/// Whether the list has further pages.
fn has_more(body: &Value, listed: usize) -> bool {
    counts_more(body, listed) || next_link(body).is_some()
}

/// Whether the peer's `count` or `total` exceeds the records listed so far.
pub(super) fn counts_more(body: &Value, listed: usize) -> bool {
    json::layers(body, &["data"]).iter().any(|layer| {
        ["count", "total"].iter().any(|key| {
            let count = layer.get(key).and_then(json::count);
            count.is_some_and(|count| usize::try_from(count).map_or(true, |all| all > listed))
        })
    })
}

/// The link to the next page.
pub(super) fn next_link(body: &Value) -> Option<&str> {
    json::layers(body, &["data"])
        .iter()
        .find_map(|layer| json::text(layer.get("next")?))
}
