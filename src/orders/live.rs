//! Live tracking: events of orders as they happen, for thousands of listeners at once. One loop a
//! process asks one statement after all orders that somebody listens to; a listener costs the database
//! nothing of its own, and nobody listened to costs no statement at all.

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

mod desk;

pub(super) use desk::Desk;
use desk::Seat;

/// How many events a listener gets at once of what happened before it came; more are left to its next
/// connection.
const BACKLOG: u32 = 500;
/// How many events of one order are read at once; less than what fits into a listener's channel, so that
/// who keeps reading is never dropped.
const EACH: i64 = 50;
/// After how many orders a statement is cut.
const CHUNK: usize = 5_000;
/// Every how many turns is asked for orders to which nothing more happens.
const OVER_EVERY: u32 = 30;

/// How listeners are served.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// How often the tables are asked for what has happened.
    pub poll_interval: Duration,
    /// How long one listens at most before connecting again.
    pub max_age: Duration,
    /// How many listeners this process takes.
    pub max_listeners: usize,
    /// How many of them may be one caller's.
    pub max_per_caller: usize,
}

/// What a listener hears: what has happened since the event that it knows, then what happens. It ends
/// when nothing more comes, its time is over, the process stops, or it did not listen for too long;
/// whoever wants to go on comes again and names the last event.
#[derive(Debug)]
pub struct Listening {
    backlog: Option<std::vec::IntoIter<RecordedEvent>>,
    seat: Option<Seat>,
    last: i32,
    until: Instant,
    metrics: Arc<Metrics>,
}

impl Listening {
    /// The next event, each once and in order; `None` at the end.
    pub async fn next(&mut self) -> Option<Arc<RecordedEvent>> {
        let event = match self.backlog.as_mut().and_then(Iterator::next) {
            Some(event) => Arc::new(event),
            None => {
                self.backlog = None;
                self.heard().await?
            }
        };
        self.last = event.seq;
        self.metrics.live_events_sent.inc();
        Some(event)
    }

    async fn heard(&mut self) -> Option<Arc<RecordedEvent>> {
        let seat = self.seat.as_mut()?;
        loop {
            let event = seat.hear().await?;
            if Instant::now() >= self.until {
                return None;
            }
            if event.seq > self.last {
                // A gap never reaches a client: it comes again, and reads what is missing.
                return (event.seq == self.last + 1).then_some(event);
            }
        }
    }
}

impl Orders {
    /// Listens to an order from the event after `after` on, no longer than `at_most`. `None` when the
    /// caller knows everything, and nothing more happens unless somebody asks for it.
    pub async fn listen(
        &self,
        caller: &Principal,
        order_id: OrderId,
        after: i32,
        at_most: Duration,
    ) -> Result<Option<Listening>, Error> {
        let part = self.timeline(caller, order_id, after, BACKLOG).await?;
        let last_read = part.events.last().map(|event| event.seq);
        if part.is_over && last_read.is_none() {
            return Ok(None);
        }
        let is_whole = last_read.is_none_or(|seq| seq >= part.version);
        let until = Instant::now() + at_most.min(scattered(self.live.settings().max_age));
        let seat = if is_whole && !part.is_over {
            let who = caller.actor();
            Some(Desk::seat(&self.live, &who, order_id, part.version, until)?)
        } else {
            None
        };
        Ok(Some(Listening {
            backlog: Some(part.events.into_iter()),
            seat,
            // Who names an event that there is not so far, as after a restore, hears what comes.
            last: after.min(part.version),
            until,
            metrics: self.metrics.clone(),
        }))
    }

    /// Serves the listeners until the process stops, and then ends them.
    pub async fn serve_listeners(&self, stop: CancellationToken) {
        let end = async {
            stop.cancelled().await;
            self.live.close();
        };
        tokio::join!(end, self.keep_telling(&stop));
    }

    async fn keep_telling(&self, stop: &CancellationToken) {
        let mut changes = self.notifications.subscribe_changes();
        let mut turns = interval(self.live.settings().poll_interval);
        turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut turn = 0_u32;
        loop {
            let told = tokio::select! {
                () = stop.cancelled() => return,
                hinted = hinted(&mut changes) => self.tell(Some(&hinted)).await,
                _ = turns.tick() => {
                    turn = (turn + 1) % OVER_EVERY;
                    self.live.end_late();
                    match turn {
                        0 => self.tell_and_end().await,
                        _ => self.tell(None).await,
                    }
                }
            };
            if let Err(error) = told {
                // They keep their places: what is missed now is told at the next turn.
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "listeners not told"
                );
            }
        }
    }

    /// Tells listeners what has happened to these orders, or to all that somebody listens to.
    async fn tell(&self, only: Option<&[OrderId]>) -> Result<(), Error> {
        let (orders, seen) = self.live.watched(only);
        for (orders, seen) in orders.chunks(CHUNK).zip(seen.chunks(CHUNK)) {
            let news = run!(self.db, |conn| db::events::news(conn, orders, seen, EACH));
            self.live.tell(news.await?);
        }
        Ok(())
    }

    /// The same, and ends those to whom nothing more happens. What is over is asked first: all of its
    /// events are then there to be told.
    async fn tell_and_end(&self) -> Result<(), Error> {
        let (orders, _) = self.live.watched(None);
        let mut over = Vec::new();
        for orders in orders.chunks(CHUNK) {
            let found = run!(self.db, |conn| db::events::over(conn, orders));
            over.extend(found.await?);
        }
        self.tell(None).await?;
        self.live.end(&over);
        Ok(())
    }
}

/// Somewhat less, by chance: who came together does not come again together.
fn scattered(max_age: Duration) -> Duration {
    max_age.mul_f64(rand::random_range(0.9..=1.0))
}

/// The orders of the hints that have come, at least one. Hints that were missed are told at the next turn.
async fn hinted(changes: &mut broadcast::Receiver<OrderId>) -> Vec<OrderId> {
    let mut hinted = match changes.recv().await {
        Ok(order_id) => vec![order_id],
        Err(RecvError::Lagged(_)) => Vec::new(),
        Err(RecvError::Closed) => std::future::pending().await,
    };
    while let Ok(order_id) = changes.try_recv() {
        hinted.push(order_id);
    }
    hinted
}
