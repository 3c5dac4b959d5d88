//! Asking where parcels are, those of an order or all.

use std::cmp::Reverse;

use serde_json::Value;

use super::{ShipmentRecord, Shipping};
use crate::domain::ids::OrderId;
use crate::peers::answer::{CallFailure, CallOutcome};
use crate::peers::call::{CallContext, operation};
use crate::peers::{ListingCursor, ListingPage, json, list, pages};

impl Shipping {
    /// The shipments of an order, newest first. That there are none is no proof that none is being
    /// made.
    ///
    /// There is no definite no: whatever is not a list is unclear.
    pub async fn find(
        &self,
        tag: CallContext<'_>,
        order_id: OrderId,
    ) -> CallOutcome<Vec<ShipmentRecord>> {
        let work = async {
            let path = ["v1", "shipments"];
            let reply = self.peer.get_by_order(&tag, &path, order_id).await?;
            let mut records = list::of_order(&reply, "shipments", order_id)?;
            newest_first(&mut records);
            let shipments: Option<_> = records
                .iter()
                .map(|record| ShipmentRecord::read(&[record]))
                .collect();
            // Leaving one out could hide a parcel that must be called back.
            shipments
                .map(CallOutcome::Success)
                .ok_or_else(|| CallFailure::new("answered a shipment without an id"))
        };
        self.peer
            .call(operation!("shipping", "find"), &tag, work)
            .await
    }

    /// A page of all shipments, where the peer lists them; no means that it does not.
    pub async fn list(
        &self,
        tag: CallContext<'_>,
        at: &ListingCursor,
    ) -> CallOutcome<ListingPage<ShipmentRecord>> {
        let work = async {
            let reply = self.peer.get_page(&tag, &["v1", "shipments"], at).await?;
            pages::read(&reply, "shipments", at, |record| {
                ShipmentRecord::read(&[record])
                    .ok_or_else(|| CallFailure::new("answered a shipment without an id"))
            })
        };
        self.peer
            .call(operation!("shipping", "list"), &tag, work)
            .await
    }
}

/// Peers should list the newest first. Where every record says when it was made, that decides.
fn newest_first(records: &mut [Value]) {
    let made = |record: &Value| record.get("created_at").and_then(json::time);
    if records.iter().all(|record| made(record).is_some()) {
        records.sort_by_key(|record| Reverse(made(record)));
    }
}
