//! The hub of live tracking: the subscriptions of a process, and the last published event of each order.
//! Publishing never blocks: a subscription whose channel is full ends, so that no backlog grows.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::domain::event::{Actor, RecordedEvent};
use crate::domain::ids::OrderId;
use crate::metrics::Metrics;
use crate::orders::Error;

/// The capacity of a subscription's channel, in events.
const CAPACITY: usize = 64;

/// Settings of live tracking.
#[derive(Clone, Copy, Debug)]
pub struct LiveSettings {
    /// The interval at which new events are read.
    pub poll_interval: Duration,
    /// The longest time of a subscription; the client then reconnects.
    pub max_age: Duration,
    /// The limit of subscriptions in this process.
    pub max_listeners: usize,
    /// The limit of subscriptions of one caller.
    pub max_per_caller: usize,
}

/// The subscriptions of a process.
#[derive(Debug)]
pub struct LiveHub {
    settings: LiveSettings,
    metrics: Arc<Metrics>,
    registry: Mutex<Registry>,
}

#[derive(Debug, Default)]
struct Registry {
    is_closed: bool,
    last_id: u64,
    orders: HashMap<OrderId, FollowedOrder>,
    callers: HashMap<Actor, usize>,
    subscribers: usize,
}

/// An order with at least one subscriber.
#[derive(Debug)]
struct FollowedOrder {
    /// The number of the last published event.
    published: i32,
    subscribers: Vec<Subscriber>,
}

#[derive(Debug)]
struct Subscriber {
    id: u64,
    caller: Actor,
    until: Instant,
    /// The events are shared, because an empty channel of pointers is small.
    events: mpsc::Sender<Arc<RecordedEvent>>,
}

/// A subscription to one order; ends when it is dropped.
#[derive(Debug)]
pub struct LiveSubscription {
    hub: Arc<LiveHub>,
    order_id: OrderId,
    id: u64,
    events: mpsc::Receiver<Arc<RecordedEvent>>,
}

impl LiveSubscription {
    /// The next published event; `None` when the subscription has ended.
    pub async fn next(&mut self) -> Option<Arc<RecordedEvent>> {
        self.events.recv().await
    }
}

impl Drop for LiveSubscription {
    fn drop(&mut self) {
        let (order_id, id) = (self.order_id, self.id);
        self.hub
            .registry()
            .retain(Some(order_id), |subscriber| subscriber.id != id);
        self.hub.measure();
    }
}

impl LiveHub {
    /// A hub without subscriptions.
    pub fn new(settings: LiveSettings, metrics: Arc<Metrics>) -> Self {
        Self {
            settings,
            metrics,
            registry: Mutex::default(),
        }
    }

    /// The settings of live tracking.
    pub fn settings(&self) -> LiveSettings {
        self.settings
    }

    /// Subscribes a caller who knows the order's events up to `known`.
    ///
    /// # Errors
    /// [`Error::TooManyListeners`] and [`Error::TooManyListenersOfCaller`] at the limits.
    pub fn subscribe(
        hub: &Arc<Self>,
        caller: &Actor,
        order_id: OrderId,
        known: i32,
        until: Instant,
    ) -> Result<LiveSubscription, Error> {
        let (sender, events) = mpsc::channel(CAPACITY);
        let mut registry = hub.registry();
        if registry.is_closed || registry.subscribers >= hub.settings.max_listeners {
            return Err(Error::TooManyListeners);
        }
        let of_caller = registry.callers.entry(caller.clone()).or_default();
        if *of_caller >= hub.settings.max_per_caller {
            return Err(Error::TooManyListenersOfCaller(hub.settings.max_per_caller));
        }
        *of_caller += 1;
        registry.subscribers += 1;
        registry.last_id += 1;
        let id = registry.last_id;
        let followed = registry
            .orders
            .entry(order_id)
            .or_insert_with(|| FollowedOrder {
                published: known,
                subscribers: Vec::new(),
            });
        // Events that were published while this caller read are published again. Subscribers that
        // have them skip them.
        followed.published = followed.published.min(known);
        followed.subscribers.push(Subscriber {
            id,
            caller: caller.clone(),
            until,
            events: sender,
        });
        drop(registry);
        hub.measure();
        Ok(LiveSubscription {
            hub: hub.clone(),
            order_id,
            id,
            events,
        })
    }

    /// The followed orders, of these or of all, each with the number of its last published event.
    pub fn followed(&self, only: Option<&[OrderId]>) -> (Vec<i64>, Vec<i32>) {
        let registry = self.registry();
        let with_published =
            |(order_id, followed): (&OrderId, &FollowedOrder)| (order_id.0, followed.published);
        match only {
            None => registry.orders.iter().map(with_published).unzip(),
            Some(orders) => {
                let found = orders
                    .iter()
                    .filter_map(|order_id| registry.orders.get_key_value(order_id));
                let mut found: Vec<_> = found.map(with_published).collect();
                found.sort_unstable();
                found.dedup();
                found.into_iter().unzip()
            }
        }
    }

    /// Publishes events, which are sorted by number within each order.
    pub fn publish(&self, events: Vec<(OrderId, RecordedEvent)>) {
        if events.is_empty() {
            return;
        }
        let mut dropped = 0;
        let mut registry = self.registry();
        for (order_id, event) in events {
            let Some(followed) = registry.orders.get_mut(&order_id) else {
                continue;
            };
            // Published already, or a new subscriber needs earlier events first.
            if event.seq != followed.published + 1 {
                continue;
            }
            followed.published = event.seq;
            let event = Arc::new(event);
            let mut slow = Vec::new();
            for subscriber in &followed.subscribers {
                if subscriber.events.try_send(event.clone()).is_err() {
                    slow.push(subscriber.id);
                }
            }
            if !slow.is_empty() {
                dropped +=
                    registry.retain(Some(order_id), |subscriber| !slow.contains(&subscriber.id));
            }
        }
        drop(registry);
        self.metrics.live_listeners_dropped.inc_by(dropped);
        self.measure();
    }

    /// Ends the subscriptions whose time is over.
    pub fn end_expired(&self) {
        let now = Instant::now();
        self.registry()
            .retain(None, |subscriber| subscriber.until > now);
        self.measure();
    }

    /// Ends the subscriptions to these orders.
    pub fn end(&self, orders: &[OrderId]) {
        let mut registry = self.registry();
        for order_id in orders {
            registry.retain(Some(*order_id), |_| false);
        }
        drop(registry);
        self.measure();
    }

    /// Ends all subscriptions and accepts no further ones.
    pub fn close(&self) {
        let mut registry = self.registry();
        registry.is_closed = true;
        registry.retain(None, |_| false);
        drop(registry);
        self.measure();
    }

    fn measure(&self) {
        let subscribers = self.registry().subscribers;
        self.metrics
            .live_listeners
            .set(i64::try_from(subscribers).unwrap_or(i64::MAX));
    }

    fn registry(&self) -> MutexGuard<'_, Registry> {
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Registry {
    /// Removes the subscribers of one order, or of all, for which `keep` is false. Returns their number.
    fn retain(&mut self, order_id: Option<OrderId>, keep: impl Fn(&Subscriber) -> bool) -> u64 {
        let mut removed = Vec::new();
        let mut retain_of = |followed: &mut FollowedOrder| {
            removed.extend(followed.subscribers.extract_if(.., |one| !keep(one)));
            !followed.subscribers.is_empty()
        };
        match order_id {
            None => self.orders.retain(|_, followed| retain_of(followed)),
            Some(order_id) => {
                if let Entry::Occupied(mut found) = self.orders.entry(order_id)
                    && !retain_of(found.get_mut())
                {
                    found.remove();
                }
            }
        }
        self.subscribers -= removed.len();
        for subscriber in &removed {
            if let Entry::Occupied(mut count) = self.callers.entry(subscriber.caller.clone()) {
                *count.get_mut() -= 1;
                if *count.get() == 0 {
                    count.remove();
                }
            }
        }
        u64::try_from(removed.len()).unwrap_or(u64::MAX)
    }
}
