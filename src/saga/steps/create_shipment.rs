//! Shipping accepts the parcel; the compensation recalls it. Some peers create a second shipment for a
//! repeated request. After an unclear attempt the step therefore looks the order up first, and cancels all
//! but one of the shipments it finds.

use crate::domain::event::OrderEvent;
use crate::domain::saga::{Saga, StepResult};
use crate::peers::{CallOutcome, ShipmentRecord, ShipmentRequest};
use crate::saga::{CallKeys, SagaExecutor, may_be_ours};

use super::{looked_up, result_of};

impl SagaExecutor {
    pub(super) async fn create_shipment(
        &self,
        saga: &Saga,
        may_have_been_sent: bool,
    ) -> StepResult {
        let keys = CallKeys::of(saga);
        if may_have_been_sent {
            let mut shipments = match self.shipments(saga, &keys).await {
                Ok(shipments) => shipments,
                Err(result) => return result,
            };
            shipments.retain(ShipmentRecord::is_live);
            // The list is newest first: the oldest shipment counts.
            if let Some(shipment) = shipments.pop() {
                let surplus = shipments
                    .into_iter()
                    .map(|shipment| shipment.shipment_id)
                    .collect();
                return match self.cancel_shipments(&keys, surplus).await {
                    Ok(_) => created(shipment),
                    Err(result) => result,
                };
            }
        }
        let key = keys.key("create_shipment");
        let parcel = ShipmentRequest {
            order_id: saga.order.order_id,
            carrier: &self.settings.carrier,
            address: saga.order.shipping_address.as_deref(),
        };
        let outcome = self
            .peers
            .shipping
            .create(keys.call_context(&key), &parcel)
            .await;
        result_of(outcome, created, |reason| {
            Some(OrderEvent::ShipmentRefused { reason })
        })
    }

    /// Recalls every shipment of the order; refused when one is on its way already.
    pub(super) async fn cancel_shipment(&self, saga: &Saga) -> StepResult {
        let keys = CallKeys::of(saga);
        let shipments = match self.shipments(saga, &keys).await {
            Ok(shipments) => shipments,
            Err(result) => return result,
        };
        // A list may lag behind: the known shipment is recalled even if it is not listed.
        let unlisted = saga
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
            Ok(events) => StepResult::done(events),
            Err(result) => result,
        }
    }

    pub(in crate::saga) async fn cancel_shipments(
        &self,
        keys: &CallKeys,
        shipment_ids: Vec<String>,
    ) -> Result<Vec<OrderEvent>, StepResult> {
        let mut events = Vec::new();
        for shipment_id in shipment_ids {
            let key = keys.key(&format!("cancel_shipment-{shipment_id}"));
            let outcome = self
                .peers
                .shipping
                .cancel(keys.call_context(&key), &shipment_id)
                .await;
            match outcome {
                CallOutcome::Success(()) => {
                    events.push(OrderEvent::ShipmentCancelled { shipment_id });
                }
                other => return Err(result_of(other, |()| StepResult::done([]), |_| None)),
            }
        }
        Ok(events)
    }

    /// The shipments of the order, newest first, without those of an order that had the same id before the
    /// database was restored.
    pub(super) async fn shipments(
        &self,
        saga: &Saga,
        keys: &CallKeys,
    ) -> Result<Vec<ShipmentRecord>, StepResult> {
        let key = keys.key("find_shipment");
        let create_key = keys.key("create_shipment");
        let outcome = self
            .peers
            .shipping
            .find(keys.call_context(&key), saga.order.order_id)
            .await;
        let mut shipments = looked_up(outcome)?;
        shipments.retain(|shipment| {
            may_be_ours(
                saga.order.created_at,
                &create_key,
                shipment.idempotency_key.as_deref(),
                shipment.created_at,
            )
        });
        Ok(shipments)
    }
}

fn created(shipment: ShipmentRecord) -> StepResult {
    let event = OrderEvent::ShipmentCreated {
        shipment_id: shipment.shipment_id.clone(),
        carrier: shipment.carrier,
        tracking_no: shipment.tracking_no,
    };
    StepResult {
        shipment_id: Some(shipment.shipment_id),
        ..StepResult::done([event])
    }
}
