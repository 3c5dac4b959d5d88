//! After an order was called off, the peers are asked once more: a request that was still under way
//! may have arrived when everything had been undone.

use crate::db::fulfilments::Fulfilment;
use crate::domain::event::OrderEvent;
use crate::domain::plan::Outcome;

use super::Fulfilments;
use super::attempt::Attempt;

impl Fulfilments {
    /// Undoes whatever is found; done without facts when there is nothing.
    pub(super) async fn sweep(&self, fulfilment: &Fulfilment) -> Attempt {
        let mut facts = Vec::new();
        let parcels = self.cancel_shipment(fulfilment).await;
        if parcels.outcome != Outcome::Done {
            return parcels;
        }
        facts.extend(parcels.facts);
        let money = self.refund_found(fulfilment).await;
        if money.outcome != Outcome::Done {
            return Attempt { facts, ..money };
        }
        facts.extend(money.facts);
        let stock = self.release_stock(fulfilment).await;
        facts.extend(
            stock
                .facts
                .iter()
                .filter(|fact| **fact != OrderEvent::StockReleased)
                .cloned(),
        );
        Attempt { facts, ..stock }
    }
}
