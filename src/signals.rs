//! Hints within one process, between the use cases and fulfilment, which otherwise meet only in
//! tables: "begin with this order", "look at that one now", "it has changed", "it has settled". A lost
//! hint costs time, never an order.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{broadcast, mpsc, oneshot};
use tokio::time::Instant;
use tracing::Span;

use crate::db::fulfilments::Fulfilment;
use crate::domain::ids::OrderId;

/// How many hints may wait to be heard.
const QUEUE: usize = 1024;

/// What fulfilment should look at.
#[derive(Debug)]
pub enum Wake {
    /// An order that this process has just placed, and whose lease it has held since then; and the span
    /// of the request that placed it.
    Begun(Box<Fulfilment>, Instant, Span),
    /// An order whose fulfilment has something new to decide, and the span of who has brought it.
    Nudge(OrderId, Span),
}

/// The hints of a process. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Signals {
    wakes: mpsc::Sender<Wake>,
    changes: broadcast::Sender<OrderId>,
    waiting: Arc<Mutex<HashMap<OrderId, Vec<oneshot::Sender<()>>>>>,
}

/// A place in the queue, taken before an order is written, so that a lease is only ever taken by
/// a process that will act on it.
pub struct Place(mpsc::OwnedPermit<Wake>);

impl Place {
    /// Hands over the order, whose lease began no earlier than `leased_at`.
    pub fn begin(self, fulfilment: Fulfilment, leased_at: Instant) {
        let begun = Wake::Begun(Box::new(fulfilment), leased_at, Span::current());
        self.0.send(begun);
    }
}

/// Waits for an order to settle; forgotten when it is dropped.
#[derive(Debug)]
pub struct Settling {
    order_id: OrderId,
    signals: Signals,
    settled: oneshot::Receiver<()>,
}

impl Signals {
    /// Signals, and the end at which fulfilment listens.
    pub fn new() -> (Self, mpsc::Receiver<Wake>) {
        let (wakes, heard) = mpsc::channel(QUEUE);
        (
            Self {
                wakes,
                changes: broadcast::Sender::new(QUEUE),
                waiting: Arc::default(),
            },
            heard,
        )
    }

    /// A place in the queue, or `None` when it is full or nobody listens any more.
    pub fn place(&self) -> Option<Place> {
        self.wakes.clone().try_reserve_owned().ok().map(Place)
    }

    /// Lets fulfilment look at an order now rather than when it is due.
    pub fn nudge(&self, order_id: OrderId) {
        // A full queue costs this order the wait for its turn, nothing else.
        let _ = self.wakes.try_send(Wake::Nudge(order_id, Span::current()));
        self.changed(order_id);
    }

    /// Tells that something has happened to an order.
    pub fn changed(&self, order_id: OrderId) {
        // Without anybody who listens it is an error, and nothing to mind.
        let _ = self.changes.send(order_id);
    }

    /// The orders to which something happens from now on; whoever falls behind misses some.
    pub fn changes(&self) -> broadcast::Receiver<OrderId> {
        self.changes.subscribe()
    }

    /// Begins to wait for an order. Ask before the order can settle.
    pub fn settling(&self, order_id: OrderId) -> Settling {
        let (announce, settled) = oneshot::channel();
        self.waiting().entry(order_id).or_default().push(announce);
        Settling {
            order_id,
            signals: self.clone(),
            settled,
        }
    }

    /// Tells everybody who waits for an order that it has settled.
    pub fn settled(&self, order_id: OrderId) {
        for announce in self.waiting().remove(&order_id).into_iter().flatten() {
            // Whoever has stopped waiting does not mind.
            let _ = announce.send(());
        }
        self.changed(order_id);
    }

    fn waiting(&self) -> std::sync::MutexGuard<'_, HashMap<OrderId, Vec<oneshot::Sender<()>>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Settling {
    /// Returns when the order has settled; only a hint, so look again.
    pub async fn wait(&mut self) {
        if (&mut self.settled).await.is_err() {
            // Announced before, or nobody will: the caller's own deadline ends the wait.
            std::future::pending::<()>().await;
        }
    }
}

impl Drop for Settling {
    fn drop(&mut self) {
        self.settled.close();
        let mut waiting = self.signals.waiting();
        if let Some(announcers) = waiting.get_mut(&self.order_id) {
            announcers.retain(|announce| !announce.is_closed());
            if announcers.is_empty() {
                waiting.remove(&self.order_id);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn everybody_who_waits_is_told_and_nobody_is_remembered() {
        let (signals, _heard) = Signals::new();
        let mut first = signals.settling(OrderId(1));
        let mut second = signals.settling(OrderId(1));
        let third = signals.settling(OrderId(2));
        signals.settled(OrderId(1));
        first.wait().await;
        second.wait().await;
        drop(third);
        assert!(signals.waiting().is_empty());
    }

    #[tokio::test]
    async fn a_full_queue_gives_no_place() {
        let (signals, heard) = Signals::new();
        let places: Vec<_> = (0..QUEUE).map_while(|_| signals.place()).collect();
        assert_eq!(places.len(), QUEUE);
        assert!(signals.place().is_none());
        drop((places, heard));
        assert!(signals.place().is_none());
    }
}
