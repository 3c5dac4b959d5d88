//! Reading what a peer has about one order.

use serde_json::Value;

use crate::domain::ids::OrderId;

use super::answer::Trouble;
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
) -> Result<Vec<Value>, Trouble> {
    if reply.status != 200 {
        return Err(reply.trouble());
    }
    let body = reply.json()?;
    if json::success(&body) == Some(false) {
        return Err(reply.trouble());
    }
    let Some(records) = records(&body, name) else {
        return Err(Trouble::new("answered 200 without a list"));
    };
    if !records.iter().all(Value::is_object) {
        return Err(Trouble::new("answered a list of something else"));
    }
    let found: Vec<_> = records
        .iter()
        .filter(|record| echo::may_be_of(record, order_id))
        .cloned()
        .collect();
    if found.is_empty() && goes_on(&body, records.len()) {
        return Err(Trouble::new("answered the first page of other orders"));
    }
    Ok(found)
}

fn records<'a>(body: &'a Value, name: &str) -> Option<&'a [Value]> {
    let keys = ["items", "data", "results", name];
    json::layers(body, &["data"])
        .into_iter()
        .find_map(|layer| {
            layer
                .as_array()
                .or_else(|| keys.iter().find_map(|key| layer.get(key)?.as_array()))
        })
        .map(Vec::as_slice)
}

/// Whether the peer says that this is not all.
fn goes_on(body: &Value, listed: usize) -> bool {
    json::layers(body, &["data"]).iter().any(|layer| {
        let more = ["count", "total"].iter().any(|key| {
            let count = layer.get(key).and_then(json::count);
            count.is_some_and(|count| usize::try_from(count).map_or(true, |all| all > listed))
        });
        more || layer.get("next").and_then(json::text).is_some()
    })
}
