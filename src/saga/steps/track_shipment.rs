//! Tracks the parcel at Shipping, so that an order becomes SHIPPED and DELIVERED without a callback.

use crate::domain::event::OrderEvent;
use crate::domain::saga::{Saga, StepResult};
use crate::domain::status::{ShippingStatus, Status as _};
use crate::peers::ShipmentRecord;
use crate::saga::{CallKeys, SagaExecutor};

impl SagaExecutor {
    /// Done with an event when the parcel has moved, done without one otherwise.
    pub(super) async fn track_shipment(&self, saga: &Saga) -> StepResult {
        let keys = CallKeys::of(saga);
        let shipments = match self.shipments(saga, &keys).await {
            Ok(shipments) => shipments,
            Err(result) => return result,
        };
        // A create request that arrived late has made a surplus parcel, which is recalled. If that fails
        // now, the next look-up tries again; the order's own parcel is tracked regardless.
        let surplus = shipments
            .iter()
            .filter(|shipment| shipment.is_live() && !is_ours(saga, shipment))
            .map(|shipment| shipment.shipment_id.clone())
            .collect();
        if let Err(result) = self.cancel_shipments(&keys, surplus).await {
            tracing::warn!(reason = result.reason, "surplus parcel not recalled yet");
        }
        match shipments.iter().find(|shipment| is_ours(saga, shipment)) {
            Some(shipment)
                if shipment.status.shipping_status() == Some(ShippingStatus::Cancelled) =>
            {
                let reason = "the carrier has cancelled the parcel".to_owned();
                StepResult::refused(reason, movement(saga, shipment))
            }
            Some(shipment) => StepResult::done(movement(saga, shipment)),
            None => StepResult::unclear("the shipment is not listed"),
        }
    }
}

fn is_ours(saga: &Saga, shipment: &ShipmentRecord) -> bool {
    saga.shipment_id
        .as_ref()
        .is_none_or(|ours| *ours == shipment.shipment_id)
}

fn movement(saga: &Saga, shipment: &ShipmentRecord) -> Option<OrderEvent> {
    let to = shipment.status.shipping_status()?;
    let moved = saga.order.state.shipping_status.reaches(to);
    moved.then(|| OrderEvent::ShippingStatusChanged {
        shipping_status: to,
        carrier_status: shipment.status.to_string(),
    })
}
