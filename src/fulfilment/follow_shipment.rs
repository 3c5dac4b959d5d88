//! Asks Shipping where the parcel is, so that an order becomes SHIPPED and DELIVERED even when
//! nobody tells us.

use crate::db::fulfilments::Fulfilment;
use crate::domain::event::OrderEvent;
use crate::domain::status::{ShippingStatus, Status as _};
use crate::peers::ShipmentRecord;

use super::attempt::Attempt;
use super::{Fulfilments, Keys};

/// Whether there can be further news of a parcel.
pub(super) fn ends_here(status: ShippingStatus) -> bool {
    matches!(
        status,
        ShippingStatus::Delivered | ShippingStatus::Cancelled | ShippingStatus::Returned
    )
}

impl Fulfilments {
    /// Done with facts when there is news, done without when there is none.
    pub(super) async fn follow_shipment(&self, fulfilment: &Fulfilment) -> Attempt {
        let keys = Keys::of(fulfilment);
        let shipments = match self.shipments(fulfilment, &keys).await {
            Ok(shipments) => shipments,
            Err(attempt) => return attempt,
        };
        // A create that arrived late has made a second parcel: it goes back. Where that is not to be
        // had now, the next look tries again; our own parcel's news do not wait for it.
        let surplus = shipments
            .iter()
            .filter(|shipment| shipment.is_live() && !is_ours(fulfilment, shipment))
            .map(|shipment| shipment.shipment_id.clone())
            .collect();
        if let Err(attempt) = self.cancel_shipments(&keys, surplus).await {
            tracing::warn!(
                reason = attempt.reason,
                "a surplus parcel is not called back so far"
            );
        }
        match shipments
            .iter()
            .find(|shipment| is_ours(fulfilment, shipment))
        {
            Some(shipment)
                if shipment.status.shipping_status() == Some(ShippingStatus::Cancelled) =>
            {
                let reason = "the carrier has cancelled the parcel".to_owned();
                Attempt::refused(reason, news(fulfilment, shipment))
            }
            Some(shipment) => Attempt::done(news(fulfilment, shipment)),
            None => Attempt::unclear_because("the shipment is not listed"),
        }
    }
}

fn is_ours(fulfilment: &Fulfilment, shipment: &ShipmentRecord) -> bool {
    fulfilment
        .shipment_id
        .as_ref()
        .is_none_or(|ours| *ours == shipment.shipment_id)
}

fn news(fulfilment: &Fulfilment, shipment: &ShipmentRecord) -> Option<OrderEvent> {
    let to = shipment.status.shipping_status()?;
    let moved = fulfilment.order.state.shipping_status.reaches(to);
    moved.then(|| OrderEvent::ShippingStatusChanged {
        shipping_status: to,
        carrier_status: shipment.status.to_string(),
    })
}
