//! Holding stock.

use serde::Serialize;
use serde_json::Value;

use super::Inventory;
use super::allocations::{self, Coverage};
use crate::domain::ids::OrderId;
use crate::domain::order::Item;
use crate::peers::already::says_already;
use crate::peers::answer::{CallFailure, CallOutcome, PeerRejection};
use crate::peers::call::{CallContext, operation};
use crate::peers::echo::Sent;
use crate::peers::json;
use crate::peers::reply::Reply;

#[derive(Serialize)]
struct Request<'a> {
    reservation_id: &'a str,
    order_id: i64,
    items: Vec<Line<'a>>,
    idempotency_key: &'a str,
}

#[derive(Serialize)]
struct Line<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    product_id: Option<i64>,
    sku: &'a str,
    quantity: u32,
}

impl Inventory {
    /// Holds every line under `reservation_id`.
    ///
    /// A no may leave some lines held, so release them; and it is final: the same id may meet
    /// "already reserved" later, with nothing held.
    pub async fn reserve(
        &self,
        tag: CallContext<'_>,
        reservation_id: &str,
        order_id: OrderId,
        items: &[Item],
    ) -> CallOutcome<()> {
        let operation = operation!("inventory", "reserve");
        let request = Request {
            reservation_id,
            order_id: order_id.0,
            items: items.iter().map(line).collect(),
            idempotency_key: tag.idempotency_key,
        };
        let work = async {
            let path = ["v1", "inventory", "reserve"];
            let reply = self.peer.post(&tag, &path, &request).await?;
            match reply.status {
                200 | 201 => read(&reply, order_id, items),
                // Without words it may be a proxy's, or a path that leads nowhere.
                400 | 404 | 409 | 422 if reply.words().is_some() => {
                    Ok(CallOutcome::Rejected(reply.refusal()))
                }
                _ => Err(reply.trouble()),
            }
        };
        self.peer.call(operation, &tag, work).await
    }
}

fn line(item: &Item) -> Line<'_> {
    Line {
        product_id: item.product_id,
        sku: &item.sku,
        quantity: item.quantity,
    }
}

fn read(reply: &Reply, order_id: OrderId, items: &[Item]) -> Result<CallOutcome<()>, CallFailure> {
    let body = reply.json()?;
    let layers = json::layers(&body, &["reservation", "data"]);
    if let Some(wrong) = Sent::order(order_id).differs_from(&layers) {
        return Ok(CallOutcome::Mismatched(wrong));
    }
    let words = reply.words();
    let refuse = |otherwise: &str| {
        let reason = words.as_deref().unwrap_or(otherwise);
        Ok(CallOutcome::Rejected(PeerRejection::new(reason)))
    };
    let mut statuses = layers
        .iter()
        .filter_map(|layer| json::word(layer, "status"));
    if let Some(status) = statuses.find(|status| says_no(status)) {
        return refuse(&format!("status {status}"));
    }
    if layers
        .iter()
        .any(|layer| json::success(layer) == Some(false))
    {
        return refuse("not reserved");
    }
    let repeated = words
        .as_deref()
        .is_some_and(|words| says_already(words, &["reserved", "exists"]));
    let allocations = layers
        .iter()
        .find_map(|layer| json::present(layer, "allocations"))
        // A repeat has nothing left to allocate.
        .filter(|allocations| !(repeated && allocations.as_array().is_some_and(Vec::is_empty)));
    match allocations.map(|allocations| allocations::coverage(allocations, items)) {
        Some(Coverage::Whole) => Ok(CallOutcome::Success(())),
        Some(Coverage::Short) => refuse("allocations do not cover every line"),
        Some(Coverage::Unreadable) => {
            Err(CallFailure::new("answered allocations without quantities"))
        }
        None if layers.iter().any(|layer| says_yes(layer)) => Ok(CallOutcome::Success(())),
        None => Err(reply.trouble()),
    }
}

/// Whether a status says that not everything is held.
fn says_no(status: &str) -> bool {
    const BEGINNINGS: [&str; 11] = [
        "PARTIAL",
        "FAIL",
        "FALSE",
        "ERROR",
        "REJECT",
        "REFUSED",
        "DECLINED",
        "CANCEL",
        "INSUFFICIENT",
        "OUT_OF_STOCK",
        "UNAVAILABLE",
    ];
    const ENDED: [&str; 2] = ["EXPIRED", "RELEASED"];
    ENDED.contains(&status) || BEGINNINGS.iter().any(|word| status.starts_with(word))
}

/// Whether a reply without allocations says that everything is held.
fn says_yes(layer: &Value) -> bool {
    const HELD: [&str; 8] = [
        "RESERVED",
        "ALREADY_RESERVED",
        "SUCCESS",
        "OK",
        "CONFIRMED",
        "COMPLETED",
        "ACTIVE",
        "TRUE",
    ];
    if json::success(layer) == Some(true) {
        return true;
    }
    match json::word(layer, "status") {
        Some(status) => HELD.contains(&status.as_str()),
        None => json::id(layer, "reservation_id").is_some(),
    }
}
