//! Who listens to which order, and what was told so far. Nothing here waits: a listener whose channel is
//! full is dropped, so that nobody's events pile up.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::domain::event::{Actor, RecordedEvent};
use crate::domain::ids::OrderId;
use crate::metrics::Metrics;
use crate::orders::Error;

use super::Settings;

/// How many events may wait for a listener.
const WAITING: usize = 64;

/// The listeners of a process.
#[derive(Debug)]
pub struct Desk {
    settings: Settings,
    metrics: Arc<Metrics>,
    book: Mutex<Book>,
}

#[derive(Debug, Default)]
struct Book {
    closed: bool,
    next_id: u64,
    orders: HashMap<OrderId, Watched>,
    callers: HashMap<Actor, usize>,
    listeners: usize,
}

/// An order that somebody listens to.
#[derive(Debug)]
struct Watched {
    /// The last event that was told.
    seen: i32,
    listeners: Vec<Listener>,
}

#[derive(Debug)]
struct Listener {
    id: u64,
    who: Actor,
    until: Instant,
    /// Shared events: an empty channel of them is small.
    events: mpsc::Sender<Arc<RecordedEvent>>,
}

/// A listener's place; given up when it is dropped.
#[derive(Debug)]
pub struct Seat {
    desk: Arc<Desk>,
    order_id: OrderId,
    id: u64,
    events: mpsc::Receiver<Arc<RecordedEvent>>,
}

impl Seat {
    /// The next event that was told; `None` when there are no more.
    pub async fn hear(&mut self) -> Option<Arc<RecordedEvent>> {
        self.events.recv().await
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let (order_id, id) = (self.order_id, self.id);
        self.desk.book().keep(Some(order_id), |one| one.id != id);
        self.desk.measure();
    }
}

impl Desk {
    /// Without listeners.
    pub fn new(settings: Settings, metrics: Arc<Metrics>) -> Self {
        Self {
            settings,
            metrics,
            book: Mutex::default(),
        }
    }

    /// How listeners are served.
    pub fn settings(&self) -> Settings {
        self.settings
    }

    /// Seats a listener who knows an order's events up to `known`.
    pub fn seat(
        desk: &Arc<Self>,
        who: &Actor,
        order_id: OrderId,
        known: i32,
        until: Instant,
    ) -> Result<Seat, Error> {
        let (sender, events) = mpsc::channel(WAITING);
        let mut book = desk.book();
        if book.closed || book.listeners >= desk.settings.max_listeners {
            return Err(Error::NoSeat);
        }
        let of_caller = book.callers.entry(who.clone()).or_default();
        if *of_caller >= desk.settings.max_per_caller {
            return Err(Error::TooManySeats(desk.settings.max_per_caller));
        }
        *of_caller += 1;
        book.listeners += 1;
        book.next_id += 1;
        let id = book.next_id;
        let watched = book.orders.entry(order_id).or_insert_with(|| Watched {
            seen: known,
            listeners: Vec::new(),
        });
        // What others were told while this one read is told again; who knows it takes no notice.
        watched.seen = watched.seen.min(known);
        watched.listeners.push(Listener {
            id,
            who: who.clone(),
            until,
            events: sender,
        });
        drop(book);
        desk.measure();
        Ok(Seat {
            desk: desk.clone(),
            order_id,
            id,
            events,
        })
    }

    /// The orders that somebody listens to, of these or of all, each with the last event that was told.
    pub fn watched(&self, only: Option<&[OrderId]>) -> (Vec<i64>, Vec<i32>) {
        let book = self.book();
        let with_seen = |(order_id, watched): (&OrderId, &Watched)| (order_id.0, watched.seen);
        match only {
            None => book.orders.iter().map(with_seen).unzip(),
            Some(orders) => {
                let found = orders
                    .iter()
                    .filter_map(|order_id| book.orders.get_key_value(order_id));
                let mut found: Vec<_> = found.map(with_seen).collect();
                found.sort_unstable();
                found.dedup();
                found.into_iter().unzip()
            }
        }
    }

    /// Tells events, which come in order for each order.
    pub fn tell(&self, news: Vec<(OrderId, RecordedEvent)>) {
        if news.is_empty() {
            return;
        }
        let mut dropped = 0;
        let mut book = self.book();
        for (order_id, event) in news {
            let Some(watched) = book.orders.get_mut(&order_id) else {
                continue;
            };
            // Told already, or somebody came meanwhile who is to be told from earlier on.
            if event.seq != watched.seen + 1 {
                continue;
            }
            watched.seen = event.seq;
            let event = Arc::new(event);
            let mut slow = Vec::new();
            for listener in &watched.listeners {
                if listener.events.try_send(event.clone()).is_err() {
                    slow.push(listener.id);
                }
            }
            if !slow.is_empty() {
                dropped += book.keep(Some(order_id), |one| !slow.contains(&one.id));
            }
        }
        drop(book);
        self.metrics.live_listeners_dropped.inc_by(dropped);
        self.measure();
    }

    /// Ends those whose time is over.
    pub fn end_late(&self) {
        let now = Instant::now();
        self.book().keep(None, |one| one.until > now);
        self.measure();
    }

    /// Ends those who listen to these orders.
    pub fn end(&self, orders: &[OrderId]) {
        let mut book = self.book();
        for order_id in orders {
            book.keep(Some(*order_id), |_| false);
        }
        drop(book);
        self.measure();
    }

    /// Ends everybody, and seats nobody any more.
    pub fn close(&self) {
        let mut book = self.book();
        book.closed = true;
        book.keep(None, |_| false);
        drop(book);
        self.measure();
    }

    fn measure(&self) {
        let listeners = self.book().listeners;
        self.metrics
            .live_listeners
            .set(i64::try_from(listeners).unwrap_or(i64::MAX));
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Book {
    /// Keeps those of an order's listeners, or of everybody, of whom this holds; how many went.
    fn keep(&mut self, order_id: Option<OrderId>, holds: impl Fn(&Listener) -> bool) -> u64 {
        let mut gone = Vec::new();
        let mut keep_of = |watched: &mut Watched| {
            gone.extend(watched.listeners.extract_if(.., |one| !holds(one)));
            !watched.listeners.is_empty()
        };
        match order_id {
            None => self.orders.retain(|_, watched| keep_of(watched)),
            Some(order_id) => {
                if let Entry::Occupied(mut found) = self.orders.entry(order_id)
                    && !keep_of(found.get_mut())
                {
                    found.remove();
                }
            }
        }
        self.listeners -= gone.len();
        for listener in &gone {
            if let Entry::Occupied(mut count) = self.callers.entry(listener.who.clone()) {
                *count.get_mut() -= 1;
                if *count.get() == 0 {
                    count.remove();
                }
            }
        }
        u64::try_from(gone.len()).unwrap_or(u64::MAX)
    }
}
