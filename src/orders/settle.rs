//! Wait, up to a limit, until an order has settled: it is confirmed or cancelled.

use std::time::Duration;

use tokio::time::{Instant, sleep_until, timeout_at};

use crate::domain::order::Order;
use crate::domain::status::OrderStatus;
use crate::notifications::SettledSubscription;

use super::Orders;

/// The pause before the first read, for orders that another process fulfils; doubles with each read.
const FIRST_PAUSE: Duration = Duration::from_millis(200);

impl Orders {
    /// The order once it has settled or the wait is over. A failed read returns the last known state, because
    /// the order is committed.
    pub(super) async fn settle(&self, mut order: Order, mut settled: SettledSubscription) -> Order {
        let deadline = Instant::now() + self.settings.settle_wait;
        let mut pause = FIRST_PAUSE;
        while !is_settled(&order) && Instant::now() < deadline {
            let read_at = deadline.min(Instant::now() + pause);
            let is_notified = tokio::select! {
                () = settled.notified() => true,
                () = sleep_until(read_at) => false,
            };
            pause *= 2;
            if is_notified {
                // Subscribe before the read, so that no notification is missed in between.
                settled = self.notifications.subscribe_settled(order.order_id);
            }
            let found = timeout_at(deadline + FIRST_PAUSE, self.find(None, order.order_id)).await;
            // A failover may lose the order, and its id may then belong to another order.
            if let Ok(Ok(fresh)) = found
                && fresh.created_at == order.created_at
            {
                order = fresh;
            }
            // A notified saga that has not settled is stuck. With an open cancel request, the
            // notification may be older than the request.
            if is_notified && !order.cancel_requested {
                break;
            }
        }
        order
    }
}

/// Whether the order is confirmed or cancelled, without an open cancel request.
pub(super) fn is_settled(order: &Order) -> bool {
    !matches!(
        order.state.order_status,
        OrderStatus::Pending | OrderStatus::Cancelling
    ) && !order.cancel_requested
}
