//! The late-arrival check: some time after an order was cancelled, its peers are asked once more, because a
//! request that was under way may have arrived after its compensation.

use crate::domain::event::OrderEvent;
use crate::domain::saga::{Saga, StepOutcome, StepResult};
use crate::saga::SagaExecutor;

impl SagaExecutor {
    /// Compensates what it finds; done without events when there is nothing.
    pub(super) async fn check_late_arrivals(&self, saga: &Saga) -> StepResult {
        let mut events = Vec::new();
        let parcels = self.cancel_shipment(saga).await;
        if parcels.outcome != StepOutcome::Done {
            return parcels;
        }
        events.extend(parcels.events);
        let money = self.refund_found(saga).await;
        if money.outcome != StepOutcome::Done {
            return StepResult { events, ..money };
        }
        events.extend(money.events);
        let stock = self.release_stock(saga).await;
        events.extend(
            stock
                .events
                .iter()
                .filter(|event| **event != OrderEvent::StockReleased)
                .cloned(),
        );
        StepResult { events, ..stock }
    }
}
