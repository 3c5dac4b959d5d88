//! Inventory reserves the lines of an order; the compensation releases them.

use crate::domain::event::OrderEvent;
use crate::domain::saga::{Saga, StepOutcome, StepResult};
use crate::saga::{CallKeys, SagaExecutor};

use super::result_of;

impl SagaExecutor {
    pub(super) async fn reserve_stock(&self, saga: &Saga) -> StepResult {
        let keys = CallKeys::of(saga);
        let key = keys.reservation_key("reserve_stock");
        let order = &saga.order;
        if saga.lapsed > 0 {
            let released = self.release_expired(saga).await;
            if released.outcome != StepOutcome::Done {
                return released;
            }
        }
        let outcome = self
            .peers
            .inventory
            .reserve(
                keys.call_context(&key),
                &keys.reservation_id,
                order.order_id,
                &order.items,
            )
            .await;
        let reserved = OrderEvent::StockReserved {
            reservation_id: keys.reservation_id.clone(),
        };
        result_of(
            outcome,
            |()| StepResult::done([reserved]),
            |reason| Some(OrderEvent::StockRefused { reason }),
        )
    }

    /// Also compensates `commit_stock`: Inventory knows both by the same reservation.
    pub(super) async fn release_stock(&self, saga: &Saga) -> StepResult {
        self.release(saga, &CallKeys::of(saga)).await
    }

    /// Releases the reservation before this one, in case Inventory still holds it.
    async fn release_expired(&self, saga: &Saga) -> StepResult {
        let keys = CallKeys::after_lapses(saga, saga.lapsed - 1);
        self.release(saga, &keys).await
    }

    async fn release(&self, saga: &Saga, keys: &CallKeys) -> StepResult {
        let key = keys.reservation_key("release_stock");
        let outcome = self
            .peers
            .inventory
            .release(
                keys.call_context(&key),
                &keys.reservation_id,
                saga.order.order_id,
            )
            .await;
        result_of(
            outcome,
            |()| StepResult::done([OrderEvent::StockReleased]),
            |_| None,
        )
    }
}
