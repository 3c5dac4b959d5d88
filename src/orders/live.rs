//! Live tracking: publishes the events of orders to thousands of subscribers. One loop per process reads
//! the new events of all followed orders with one statement. Subscribers add no statements of their own,
//! and without subscribers no statement runs.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::broadcast::{self, error::RecvError};
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::db;
use crate::db::run;
use crate::domain::event::RecordedEvent;
use crate::domain::ids::OrderId;
use crate::domain::principal::Principal;
use crate::metrics::Metrics;

use super::{Error, Orders};

mod hub;

pub(super) use hub::LiveHub;
pub use hub::LiveSettings;
use hub::LiveSubscription;

/// The number of earlier events that a connection reads first. If there are more, the stream ends after
/// them and the client reconnects.
const BACKLOG: u32 = 500;
/// The number of new events of one order that one statement reads. It is below the capacity of a
/// subscription's channel, so that a subscriber that keeps reading is never dropped.
const EVENTS_PER_ORDER: i64 = 50;
/// The number of orders of one statement.
const CHUNK: usize = 5_000;
/// The number of polls between two checks for quiescent orders.
const POLLS_PER_CHECK: u32 = 30;

/// A stream of an order's events: first the earlier ones, then new ones as they happen. It ends when the
/// order is quiescent, the time is over, the process stops, or the client was too slow. A client that
/// reconnects with the number of its last event misses none.
#[derive(Debug)]
pub struct LiveEvents {
    backlog: Option<std::vec::IntoIter<RecordedEvent>>,
    subscription: Option<LiveSubscription>,
    last_seq: i32,
    until: Instant,
    metrics: Arc<Metrics>,
}

impl LiveEvents {
    /// The next event, each once and in order; `None` at the end.
    pub async fn next(&mut self) -> Option<Arc<RecordedEvent>> {
        let event = match self.backlog.as_mut().and_then(Iterator::next) {
            Some(event) => Arc::new(event),
            None => {
                self.backlog = None;
                self.next_published().await?
            }
        };
        self.last_seq = event.seq;
        self.metrics.live_events_sent.inc();
        Some(event)
    }

    async fn next_published(&mut self) -> Option<Arc<RecordedEvent>> {
        let subscription = self.subscription.as_mut()?;
        loop {
            let event = subscription.next().await?;
            if Instant::now() >= self.until {
                return None;
            }
            if event.seq > self.last_seq {
                // A gap ends the stream: the client reconnects and reads the missing events.
                return (event.seq == self.last_seq + 1).then_some(event);
            }
        }
    }
}

impl Orders {
    /// Subscribes to the events of an order with numbers above `after`, for `at_most` this long. `None`
    /// when the caller has all events and the order is quiescent.
    pub async fn subscribe(
        &self,
        caller: &Principal,
        order_id: OrderId,
        after: i32,
        at_most: Duration,
    ) -> Result<Option<LiveEvents>, Error> {
        let page = self.timeline(caller, order_id, after, BACKLOG).await?;
        let last_read = page.events.last().map(|event| event.seq);
        if page.is_quiescent && last_read.is_none() {
            return Ok(None);
        }
        let has_all = last_read.is_none_or(|seq| seq >= page.version);
        let until = Instant::now() + at_most.min(with_jitter(self.live.settings().max_age));
        let subscription = if has_all && !page.is_quiescent {
            let caller = caller.actor();
            let subscription =
                LiveHub::subscribe(&self.live, &caller, order_id, page.version, until)?;
            Some(subscription)
        } else {
            None
        };
        Ok(Some(LiveEvents {
            backlog: Some(page.events.into_iter()),
            subscription,
            // An `after` beyond the history, as after a restore, starts at the current version.
            last_seq: after.min(page.version),
            until,
            metrics: self.metrics.clone(),
        }))
    }

    /// Publishes events until the process stops, and then ends all subscriptions.
    pub async fn run_live_hub(&self, stop: CancellationToken) {
        let end = async {
            stop.cancelled().await;
            self.live.close();
        };
        tokio::join!(end, self.publish_until(&stop));
    }

    async fn publish_until(&self, stop: &CancellationToken) {
        let mut changes = self.notifications.subscribe_changes();
        let mut polls = interval(self.live.settings().poll_interval);
        polls.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut poll = 0_u32;
        loop {
            let published = tokio::select! {
                () = stop.cancelled() => return,
                changed = changed_orders(&mut changes) => self.publish(Some(&changed)).await,
                _ = polls.tick() => {
                    poll = (poll + 1) % POLLS_PER_CHECK;
                    self.live.end_expired();
                    match poll {
                        0 => self.publish_and_end_quiescent().await,
                        _ => self.publish(None).await,
                    }
                }
            };
            if let Err(error) = published {
                // The subscriptions stay, and the next poll reads the missed events.
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "live events not published"
                );
            }
        }
    }

    /// Publishes the new events of these orders, or of all followed ones.
    async fn publish(&self, only: Option<&[OrderId]>) -> Result<(), Error> {
        let (orders, published) = self.live.followed(only);
        for (orders, published) in orders.chunks(CHUNK).zip(published.chunks(CHUNK)) {
            let events = run!(self.db, |conn| db::events::newer_than(
                conn,
                orders,
                published,
                EVENTS_PER_ORDER
            ));
            self.live.publish(events.await?);
        }
        Ok(())
    }

    /// Publishes the new events of all followed orders, and ends the subscriptions to quiescent ones. The
    /// check comes first, so that the events read afterwards include a quiescent order's last one.
    async fn publish_and_end_quiescent(&self) -> Result<(), Error> {
        let (orders, _) = self.live.followed(None);
        let mut quiescent = Vec::new();
        for orders in orders.chunks(CHUNK) {
            let found = run!(self.db, |conn| db::events::quiescent(conn, orders));
            quiescent.extend(found.await?);
        }
        self.publish(None).await?;
        self.live.end(&quiescent);
        Ok(())
    }
}

/// Up to a tenth less, at random, so that clients that connected together do not reconnect together.
fn with_jitter(max_age: Duration) -> Duration {
    max_age.mul_f64(rand::random_range(0.9..=1.0))
}

/// The orders of all pending change notifications, once there is at least one. The next poll covers
/// notifications that were missed.
async fn changed_orders(changes: &mut broadcast::Receiver<OrderId>) -> Vec<OrderId> {
    let mut changed = match changes.recv().await {
        Ok(order_id) => vec![order_id],
        Err(RecvError::Lagged(_)) => Vec::new(),
        Err(RecvError::Closed) => std::future::pending().await,
    };
    while let Ok(order_id) = changes.try_recv() {
        changed.push(order_id);
    }
    changed
}
