//! Reading what a peer has about one order.

use serde_json::Value;

use crate::domain::ids::OrderId;

use super::answer::CallFailure;
use super::reply::Reply;
use super::{echo, json};

/// The records of `order_id` in a list at the top or under `items`, `data`, `results` or `name`,
/// in the order they came in.
///
/// A peer that ignores the filter lists other orders too: these are left out.
pub(super) fn of_order(
    reply: &Reply,
    name: &str,
    order_id: OrderId,
) -> Result<Vec<Value>, CallFailure> {
    let body = body(reply)?;
    let records = records(&body, name)?;
    let found: Vec<_> = records
        .iter()
        .filter(|record| echo::may_be_of(record, order_id))
        .cloned()
        .collect();
    if found.is_empty() && goes_on(&body, records.len()) {
        return Err(CallFailure::new("answered the first page of other orders"));
    }
    Ok(found)
}

/// The body of a reply that should be a list.
pub(super) fn body(reply: &Reply) -> Result<Value, CallFailure> {
    if reply.status != 200 {
        return Err(reply.trouble());
    }
    let body = reply.json()?;
    match json::success(&body) {
        Some(false) => Err(reply.trouble()),
        _ => Ok(body),
    }
}

/// The records of a list, wherever the body has it.
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

/// Whether the peer says that this is not all.
fn goes_on(body: &Value, listed: usize) -> bool {
    says_more(body, listed) || next_link(body).is_some()
}

/// Whether the peer counts more records than were listed so far.
pub(super) fn says_more(body: &Value, listed: usize) -> bool {
    json::layers(body, &["data"]).iter().any(|layer| {
        ["count", "total"].iter().any(|key| {
            let count = layer.get(key).and_then(json::count);
            count.is_some_and(|count| usize::try_from(count).map_or(true, |all| all > listed))
        })
    })
}

/// Where the peer says that the list goes on.
pub(super) fn next_link(body: &Value) -> Option<&str> {
    json::layers(body, &["data"])
        .iter()
        .find_map(|layer| json::text(layer.get("next")?))
}
