//! Looks up the shipments of one order, and lists all shipments.

use std::cmp::Reverse;

use serde_json::Value;

use super::{ShipmentRecord, Shipping};
use crate::domain::ids::OrderId;
use crate::peers::call::{CallContext, operation};
use crate::peers::outcome::{CallFailure, CallOutcome};
use crate::peers::pages::{self, ListingCursor, ListingPage};
use crate::peers::{json, list};

impl Shipping {
    /// The shipments of an order, newest first. If there are none, one may still be in the making.
    ///
    /// A lookup is never rejected: every response that is not a list is retryable.
    pub async fn find(
        &self,
        context: CallContext<'_>,
        order_id: OrderId,
    ) -> CallOutcome<Vec<ShipmentRecord>> {
        let work = async {
            let path = ["v1", "shipments"];
            let response = self.peer.get_by_order(&context, &path, order_id).await?;
            let mut records = list::of_order(&response, "shipments", order_id)?;
            newest_first(&mut records);
            let shipments: Option<_> = records
                .iter()
                .map(|record| ShipmentRecord::read(&[record]))
                .collect();
            // Dropping a record could hide a shipment that must be cancelled.
            shipments
                .map(CallOutcome::Success)
                .ok_or_else(|| CallFailure::new("answered a shipment without an id"))
        };
        self.peer
            .call(operation!(Lookup, "shipping", "find"), &context, work)
            .await
    }

    /// A page of all shipments. Rejected if the peer does not list them.
    pub async fn list(
        &self,
        context: CallContext<'_>,
        cursor: &ListingCursor,
    ) -> CallOutcome<ListingPage<ShipmentRecord>> {
        let work = async {
            let response = self
                .peer
                .get_page(&context, &["v1", "shipments"], cursor)
                .await?;
            pages::read(&response, "shipments", cursor, |record| {
                ShipmentRecord::read(&[record])
                    .ok_or_else(|| CallFailure::new("answered a shipment without an id"))
            })
        };
        self.peer
            .call(operation!(NoSaga, "shipping", "list"), &context, work)
            .await
    }
}

/// Peers should list the newest first. If every record has a time, the times decide.
fn newest_first(records: &mut [Value]) {
    let created_at = |record: &Value| record.get("created_at").and_then(json::time);
    if records.iter().all(|record| created_at(record).is_some()) {
        records.sort_by_key(|record| Reverse(created_at(record)));
    }
}
