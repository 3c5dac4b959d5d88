//! Inventory hands out the reserved lines, which confirms the order. The compensation is
//! [`SagaExecutor::release_stock`].

use crate::domain::event::OrderEvent;
use crate::domain::saga::{Saga, StepOutcome, StepResult};
use crate::saga::{CallKeys, SagaExecutor};

use super::result_of;

impl SagaExecutor {
    pub(super) async fn commit_stock(&self, saga: &Saga, may_have_been_sent: bool) -> StepResult {
        let keys = CallKeys::of(saga);
        let key = keys.reservation_key("commit_stock");
        let outcome = self
            .peers
            .inventory
            .commit(
                keys.call_context(&key),
                &keys.reservation_id,
                saga.order.order_id,
                may_have_been_sent,
            )
            .await;
        let result = result_of(
            outcome,
            |()| StepResult::done([OrderEvent::OrderConfirmed]),
            |reason| Some(OrderEvent::StockCommitRefused { reason }),
        );
        // A reservation expires, for example while Payment is away for long. The stock may still be there:
        // the saga reserves it again, once.
        if result.outcome == StepOutcome::Refused && saga.lapsed == 0 {
            return StepResult {
                outcome: StepOutcome::Lapsed,
                ..result
            };
        }
        result
    }
}
