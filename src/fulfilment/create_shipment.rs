//! Shipping takes the parcel on; undone, it keeps the parcel back. Some peers make a second shipment
//! of the same create, so whatever was unclear is looked up by order first, and all but one of the
//! shipments found are called back.

use crate::db::fulfilments::Fulfilment;
use crate::domain::event::OrderEvent;
use crate::peers::{CallOutcome, ShipmentRecord, ShipmentRequest};

use super::attempt::Attempt;
use super::{Fulfilments, Keys, may_be_ours};

impl Fulfilments {
    /// `repeat`: it may have been sent before.
    pub(super) async fn create_shipment(&self, fulfilment: &Fulfilment, repeat: bool) -> Attempt {
        let keys = Keys::of(fulfilment);
        if repeat {
            let mut found = match self.shipments(fulfilment, &keys).await {
                Ok(shipments) => shipments,
                Err(attempt) => return attempt,
            };
            found.retain(ShipmentRecord::is_live);
            // Newest first: the oldest is the one that counts.
            if let Some(shipment) = found.pop() {
                let surplus = found
                    .into_iter()
                    .map(|shipment| shipment.shipment_id)
                    .collect();
                return match self.cancel_shipments(&keys, surplus).await {
                    Ok(_) => created(shipment),
                    Err(attempt) => attempt,
                };
            }
        }
        let key = keys.key("create_shipment");
        let parcel = ShipmentRequest {
            order_id: fulfilment.order.order_id,
            carrier: &self.settings.carrier,
            address: fulfilment.order.shipping_address.as_deref(),
        };
        let answer = self
            .peers
            .shipping
            .create(keys.call_context(&key), &parcel)
            .await;
        Attempt::of(answer, created, |reason| {
            Some(OrderEvent::ShipmentRefused { reason })
        })
    }

    /// Calls back every shipment of the order; refused when one is under way already.
    pub(super) async fn cancel_shipment(&self, fulfilment: &Fulfilment) -> Attempt {
        let keys = Keys::of(fulfilment);
        let shipments = match self.shipments(fulfilment, &keys).await {
            Ok(shipments) => shipments,
            Err(attempt) => return attempt,
        };
        // A list may lag behind: the shipment that we know of is called back all the same.
        let unlisted = fulfilment
            .shipment_id
            .iter()
            .filter(|known| {
                shipments
                    .iter()
                    .all(|shipment| shipment.shipment_id != **known)
            })
            .cloned();
        let live = shipments.iter().filter(|shipment| shipment.is_live());
        let ids = live
            .map(|shipment| shipment.shipment_id.clone())
            .chain(unlisted)
            .collect();
        match self.cancel_shipments(&keys, ids).await {
            Ok(facts) => Attempt::done(facts),
            Err(attempt) => attempt,
        }
    }

    pub(super) async fn cancel_shipments(
        &self,
        keys: &Keys,
        shipment_ids: Vec<String>,
    ) -> Result<Vec<OrderEvent>, Attempt> {
        let mut facts = Vec::new();
        for shipment_id in shipment_ids {
            let key = keys.key(&format!("cancel_shipment-{shipment_id}"));
            match self
                .peers
                .shipping
                .cancel(keys.call_context(&key), &shipment_id)
                .await
            {
                CallOutcome::Success(()) => {
                    facts.push(OrderEvent::ShipmentCancelled { shipment_id })
                }
                other => return Err(Attempt::of(other, |()| Attempt::done([]), |_| None)),
            }
        }
        Ok(facts)
    }

    /// Every shipment of the order, newest first, except those of an earlier life of the
    /// database.
    pub(super) async fn shipments(
        &self,
        fulfilment: &Fulfilment,
        keys: &Keys,
    ) -> Result<Vec<ShipmentRecord>, Attempt> {
        let key = keys.key("find_shipment");
        let create_key = keys.key("create_shipment");
        match self
            .peers
            .shipping
            .find(keys.call_context(&key), fulfilment.order.order_id)
            .await
        {
            CallOutcome::Success(mut shipments) => {
                let accepted_at = fulfilment.order.created_at;
                shipments.retain(|shipment| {
                    let key = shipment.idempotency_key.as_deref();
                    may_be_ours(accepted_at, &create_key, key, shipment.created_at)
                });
                Ok(shipments)
            }
            CallOutcome::Rejected(refusal) => Err(Attempt::unclear_because(refusal.reason)),
            CallOutcome::Retryable(trouble) => Err(Attempt::unclear(trouble)),
            CallOutcome::Mismatched(refusal) => Err(Attempt::wrong(refusal.reason)),
        }
    }
}

fn created(shipment: ShipmentRecord) -> Attempt {
    let fact = OrderEvent::ShipmentCreated {
        shipment_id: shipment.shipment_id.clone(),
        carrier: shipment.carrier,
        tracking_no: shipment.tracking_no,
    };
    Attempt {
        shipment_id: Some(shipment.shipment_id),
        ..Attempt::done([fact])
    }
}
