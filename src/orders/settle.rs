//! Wait, bounded, until an order rests: it stands, or it is called off.

use std::time::Duration;

use tokio::time::{Instant, sleep_until, timeout_at};

use crate::domain::order::Order;
use crate::domain::status::OrderStatus;
use crate::notifications::SettledSubscription;

use super::Orders;

/// How soon to look when another process drives the order; doubles with each look.
const FIRST_LOOK: Duration = Duration::from_millis(200);

impl Orders {
    /// The order as it stands when it rests, or when the wait is over. A read that does not succeed
    /// does not make a committed order fail: the caller then gets the order as it was last seen.
    pub(super) async fn settle(
        &self,
        mut order: Order,
        mut settling: SettledSubscription,
    ) -> Order {
        let deadline = Instant::now() + self.settings.settle_wait;
        let mut pause = FIRST_LOOK;
        while !is_settled(&order) && Instant::now() < deadline {
            let look_at = deadline.min(Instant::now() + pause);
            let announced = tokio::select! {
                () = settling.notified() => true,
                () = sleep_until(look_at) => false,
            };
            pause *= 2;
            if announced {
                // Before the look, so that nothing is missed in between.
                settling = self.notifications.subscribe_settled(order.order_id);
            }
            let found = timeout_at(deadline + FIRST_LOOK, self.find(None, order.order_id)).await;
            // After a failover that forgot the order, its number may be somebody else's.
            if let Ok(Ok(fresh)) = found
                && fresh.created_at == order.created_at
            {
                order = fresh;
            }
            // At rest without being settled: a person has to look. What was announced may also have
            // come before a wish to cancel, which is then still open.
            if announced && !order.cancel_requested {
                break;
            }
        }
        order
    }
}

/// Whether nothing more is decided about the order without somebody asking.
pub(super) fn is_settled(order: &Order) -> bool {
    !matches!(
        order.state.order_status,
        OrderStatus::Pending | OrderStatus::Cancelling
    ) && !order.cancel_requested
}
