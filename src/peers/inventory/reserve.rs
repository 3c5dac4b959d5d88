//! Reserves stock.

use serde::Serialize;
use serde_json::Value;

use super::allocations::{self, Coverage};
use super::{Inventory, WRAPPERS};
use crate::domain::ids::OrderId;
use crate::domain::order::Item;
use crate::peers::already::says_already;
use crate::peers::call::{CallContext, operation};
use crate::peers::json;
use crate::peers::outcome::{CallFailure, CallOutcome, PeerRejection};
use crate::peers::response::PeerResponse;
use crate::peers::verification::SentFields;

#[derive(Serialize)]
struct ReserveBody<'a> {
    reservation_id: &'a str,
    order_id: i64,
    items: Vec<ReservedLine<'a>>,
    idempotency_key: &'a str,
}

#[derive(Serialize)]
struct ReservedLine<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    product_id: Option<i64>,
    sku: &'a str,
    quantity: u32,
}

impl Inventory {
    /// Reserves every line of the order under `reservation_id`.
    ///
    /// After a rejection some lines may be reserved, so release them. Do not reserve again under the
    /// same id: the peer may answer "already reserved" although it reserves nothing.
    pub async fn reserve(
        &self,
        context: CallContext<'_>,
        reservation_id: &str,
        order_id: OrderId,
        items: &[Item],
    ) -> CallOutcome<()> {
        let operation = operation!(Forward, "inventory", "reserve");
        let request = ReserveBody {
            reservation_id,
            order_id: order_id.0,
            items: items.iter().map(line).collect(),
            idempotency_key: context.idempotency_key,
        };
        let work = async {
            let path = ["v1", "inventory", "reserve"];
            let response = self.peer.post(&context, &path, &request).await?;
            match response.status {
                200 | 201 => read(&response, order_id, items),
                // Without a message it may come from a proxy or from an unknown route.
                400 | 404 | 409 | 422 if response.message().is_some() => {
                    Ok(CallOutcome::Rejected(response.rejection()))
                }
                _ => Err(response.failure()),
            }
        };
        self.peer.call(operation, &context, work).await
    }
}

fn line(item: &Item) -> ReservedLine<'_> {
    ReservedLine {
        product_id: item.product_id,
        sku: &item.sku,
        quantity: item.quantity,
    }
}

fn read(
    response: &PeerResponse,
    order_id: OrderId,
    items: &[Item],
) -> Result<CallOutcome<()>, CallFailure> {
    let body = response.json()?;
    let layers = json::layers(&body, &WRAPPERS);
    if let Some(mismatch) = SentFields::order(order_id).mismatch_in(&layers) {
        return Ok(CallOutcome::Mismatched(mismatch));
    }
    let message = response.message();
    let reject = |default: &str| {
        let reason = message.as_deref().unwrap_or(default);
        Ok(CallOutcome::Rejected(PeerRejection::new(reason)))
    };
    let mut statuses = layers
        .iter()
        .filter_map(|layer| json::status_word(layer, "status"));
    if let Some(status) = statuses.find(|status| is_rejection(status)) {
        return reject(&format!("status {status}"));
    }
    if layers
        .iter()
        .any(|layer| json::success(layer) == Some(false))
    {
        return reject("not reserved");
    }
    let is_repeat = message
        .as_deref()
        .is_some_and(|message| says_already(message, &["reserved", "exists"]));
    let allocations = layers
        .iter()
        .find_map(|layer| json::present(layer, "allocations"))
        // A repeated call has nothing left to allocate.
        .filter(|allocations| !(is_repeat && allocations.as_array().is_some_and(Vec::is_empty)));
    match allocations.map(|allocations| allocations::coverage(allocations, items)) {
        Some(Coverage::Whole) => Ok(CallOutcome::Success(())),
        Some(Coverage::Short) => reject("allocations do not cover every line"),
        Some(Coverage::Unreadable) => {
            Err(CallFailure::new("answered allocations without quantities"))
        }
        None if layers.iter().any(|layer| is_reserved(layer)) => Ok(CallOutcome::Success(())),
        None => Err(response.failure()),
    }
}

/// Whether a status tells that not every line is reserved.
fn is_rejection(status: &str) -> bool {
    const REJECTION_PREFIXES: [&str; 11] = [
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
    ENDED.contains(&status)
        || REJECTION_PREFIXES
            .iter()
            .any(|word| status.starts_with(word))
}

/// Whether a response without allocations tells that every line is reserved.
fn is_reserved(layer: &Value) -> bool {
    const RESERVED: [&str; 8] = [
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
    match json::status_word(layer, "status") {
        Some(status) => RESERVED.contains(&status.as_str()),
        None => json::id(layer, "reservation_id").is_some(),
    }
}
