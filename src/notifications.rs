//! Wake-up notifications within one process, between the use cases and fulfilment, which otherwise
//! communicate through tables alone: an order was placed, is due, has changed, or has settled. Delivery
//! is best effort: a lost notification delays an order until the next poll and has no other effect.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{broadcast, mpsc, oneshot};
use tokio::time::Instant;
use tracing::Span;

use crate::domain::ids::OrderId;
use crate::domain::saga::Saga;

/// The capacity of each channel.
const CAPACITY: usize = 1024;

/// A notification to the fulfilment worker.
#[derive(Debug)]
pub enum WakeUp {
    /// This process has placed the order and holds its lease since the instant; the span is that of
    /// the request.
    Placed(Box<Saga>, Instant, Span),
    /// The order's fulfilment has something new to decide; the span is that of the sender.
    Due(OrderId, Span),
}

/// The senders of a process's notifications. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Notifications {
    wake_ups: mpsc::Sender<WakeUp>,
    changes: broadcast::Sender<OrderId>,
    settled: Arc<Mutex<SettledSenders>>,
}

type SettledSenders = HashMap<OrderId, Vec<oneshot::Sender<()>>>;

/// Capacity for one wake-up. A placement reserves it before it writes the order, so that a process
/// takes a lease only if its worker will receive the order.
pub struct WakeUpPermit(mpsc::OwnedPermit<WakeUp>);

impl WakeUpPermit {
    /// Sends the placed order, whose lease started no earlier than `leased_at`.
    pub fn notify_placed(self, saga: Saga, leased_at: Instant) {
        let placed = WakeUp::Placed(Box::new(saga), leased_at, Span::current());
        self.0.send(placed);
    }
}

/// A subscription to the settling of one order; ends when it is dropped.
#[derive(Debug)]
pub struct SettledSubscription {
    order_id: OrderId,
    notifications: Notifications,
    settled: oneshot::Receiver<()>,
}

impl Notifications {
    /// The senders, and the receiver for the fulfilment worker.
    pub fn new() -> (Self, mpsc::Receiver<WakeUp>) {
        let (wake_ups, received) = mpsc::channel(CAPACITY);
        let notifications = Self {
            wake_ups,
            changes: broadcast::Sender::new(CAPACITY),
            settled: Arc::default(),
        };
        (notifications, received)
    }

    /// Reserves capacity for one wake-up; `None` when the queue is full or the worker has stopped.
    pub fn try_reserve(&self) -> Option<WakeUpPermit> {
        let permit = self.wake_ups.clone().try_reserve_owned();
        permit.ok().map(WakeUpPermit)
    }

    /// Wakes the worker for an order now, and notifies the subscribers to changes.
    pub fn notify_due(&self, order_id: OrderId) {
        // A full queue only delays the order until it is claimed by its due time.
        let _ = self
            .wake_ups
            .try_send(WakeUp::Due(order_id, Span::current()));
        self.notify_changed(order_id);
    }

    /// Notifies the subscribers to changes.
    pub fn notify_changed(&self, order_id: OrderId) {
        // Without subscribers the channel returns an error, which is expected.
        let _ = self.changes.send(order_id);
    }

    /// Subscribes to the orders that change from now on. A slow subscriber misses notifications.
    pub fn subscribe_changes(&self) -> broadcast::Receiver<OrderId> {
        self.changes.subscribe()
    }

    /// Subscribes to the settling of an order. Subscribe before the order can settle.
    pub fn subscribe_settled(&self, order_id: OrderId) -> SettledSubscription {
        let (sender, settled) = oneshot::channel();
        self.settled_senders()
            .entry(order_id)
            .or_default()
            .push(sender);
        SettledSubscription {
            order_id,
            notifications: self.clone(),
            settled,
        }
    }

    /// Notifies all subscribers to the settling of an order, and those to changes.
    pub fn notify_settled(&self, order_id: OrderId) {
        let senders = self.settled_senders().remove(&order_id);
        for sender in senders.into_iter().flatten() {
            // The subscription may have been dropped.
            let _ = sender.send(());
        }
        self.notify_changed(order_id);
    }

    fn settled_senders(&self) -> MutexGuard<'_, SettledSenders> {
        self.settled.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SettledSubscription {
    /// Returns when the order was reported as settled. Read the order afterwards: it may have changed.
    pub async fn notified(&mut self) {
        if (&mut self.settled).await.is_err() {
            // Already notified, or the sender is gone: the caller's deadline ends the wait.
            std::future::pending::<()>().await;
        }
    }
}

impl Drop for SettledSubscription {
    fn drop(&mut self) {
        self.settled.close();
        let mut senders = self.notifications.settled_senders();
        if let Some(of_order) = senders.get_mut(&self.order_id) {
            of_order.retain(|sender| !sender.is_closed());
            if of_order.is_empty() {
                senders.remove(&self.order_id);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn all_subscribers_are_notified_and_then_removed() {
        let (notifications, _received) = Notifications::new();
        let mut first = notifications.subscribe_settled(OrderId(1));
        let mut second = notifications.subscribe_settled(OrderId(1));
        let third = notifications.subscribe_settled(OrderId(2));
        notifications.notify_settled(OrderId(1));
        first.notified().await;
        second.notified().await;
        drop(third);
        assert!(notifications.settled_senders().is_empty());
    }

    #[tokio::test]
    async fn a_full_or_closed_queue_gives_no_permit() {
        let (notifications, received) = Notifications::new();
        let permits: Vec<_> = (0..CAPACITY)
            .map_while(|_| notifications.try_reserve())
            .collect();
        assert_eq!(permits.len(), CAPACITY);
        assert!(notifications.try_reserve().is_none());
        drop((permits, received));
        assert!(notifications.try_reserve().is_none());
    }
}
