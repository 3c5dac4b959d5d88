//! The desk that every request comes to: it counts the call, lets the faults have their
//! way, and has the operation executed on the world.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use time::OffsetDateTime;
use tokio::sync::{Notify, mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::cut::Scissors;
use super::fault::{Faults, Kind, Mishap};
use super::incoming::Incoming;
use super::news::News;
use super::operation::Operation;
use super::reply::{Refusal, Reply};
use super::tokens::Tokens;
use super::world::{Occasion, World};

/// What all stand-ins share. Cloning it is cheap.
#[derive(Debug, Clone)]
pub(super) struct Desk(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    world: Mutex<World>,
    faults: Mutex<Faults>,
    ahead: Mutex<Duration>,
    changed: Notify,
    /// How many changes there were, and how many of them are saved; `None`: nothing is saved.
    changes: AtomicU64,
    saved: Option<watch::Sender<u64>>,
    tokens: Tokens,
    news: Option<mpsc::Sender<News>>,
    stopping: CancellationToken,
    under_way: TaskTracker,
}

/// A lock survives a panic under it: every change leaves the values usable.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Desk {
    /// A desk over this world.
    pub fn new(
        world: World,
        tokens: Tokens,
        news: Option<mpsc::Sender<News>>,
        stopping: CancellationToken,
        is_saved: bool,
    ) -> Self {
        Self(Arc::new(Shared {
            world: Mutex::new(world),
            faults: Mutex::default(),
            ahead: Mutex::default(),
            changed: Notify::new(),
            changes: AtomicU64::new(0),
            saved: is_saved.then(|| watch::Sender::new(0)),
            tokens,
            news,
            stopping,
            under_way: TaskTracker::new(),
        }))
    }

    /// Read the world as it is now.
    pub fn look<R>(&self, read: impl FnOnce(&World) -> R) -> R {
        let mut world = lock(&self.0.world);
        world.inventory.expire(self.now());
        read(&world)
    }

    /// Change the world, and have it saved soon.
    pub fn change<R>(&self, change: impl FnOnce(&mut World, OffsetDateTime) -> R) -> R {
        let changed = self.touch(change);
        self.0.changed.notify_one();
        changed
    }

    /// Change what need not be saved at once.
    fn touch<R>(&self, change: impl FnOnce(&mut World, OffsetDateTime) -> R) -> R {
        let mut world = lock(&self.0.world);
        let now = self.now();
        world.inventory.expire(now);
        change(&mut world, now)
    }

    /// The active faults.
    pub fn faults(&self) -> MutexGuard<'_, Faults> {
        lock(&self.0.faults)
    }

    /// Who signs tokens.
    pub fn tokens(&self) -> &Tokens {
        &self.0.tokens
    }

    /// Have the order told about its parcel. Dropped when too much waits already: the
    /// order finds out when it follows its parcel.
    pub fn announce(&self, news: News) {
        if let Some(sender) = &self.0.news {
            let _ = sender.try_send(news);
        }
    }

    async fn until_saved(&self) {
        let change = self.0.changes.fetch_add(1, Ordering::SeqCst) + 1;
        self.0.changed.notify_one();
        if let Some(saved) = &self.0.saved {
            let mut saved = saved.subscribe();
            tokio::select! {
                _ = saved.wait_for(|saved| *saved >= change) => {}
                () = self.0.stopping.cancelled() => {}
            }
        }
    }

    /// How many changes there were so far.
    pub fn changes(&self) -> u64 {
        self.0.changes.load(Ordering::SeqCst)
    }

    /// Says that so many changes are saved.
    pub fn saved(&self, changes: u64) {
        if let Some(saved) = &self.0.saved {
            saved.send_replace(changes);
        }
    }

    /// Resolves once the world has changed since the last time it resolved.
    pub async fn changed(&self) {
        self.0.changed.notified().await;
    }

    /// Resolves when nothing is being executed, or about to be, for anybody who may have left.
    pub async fn quiet(&self) {
        self.0.under_way.close();
        self.0.under_way.wait().await;
    }

    /// Cancelled when the sandbox stops.
    pub fn stopping(&self) -> &CancellationToken {
        &self.0.stopping
    }

    /// The stand-ins' time: the clock's, and what it was moved ahead.
    pub fn now(&self) -> OffsetDateTime {
        crate::clock::now().saturating_add(ahead(*lock(&self.0.ahead)))
    }

    /// Move the stand-ins' time ahead.
    pub fn advance_clock(&self, by: Duration) {
        let mut ahead = lock(&self.0.ahead);
        *ahead = ahead.saturating_add(by);
    }

    /// Answer one request. It runs in a task of its own, so that it is executed even when
    /// its client gives up first: that is what makes a slow peer dangerous.
    pub async fn serve<F>(&self, operation: Operation, incoming: Incoming, execute: F) -> Response
    where
        F: FnOnce(&mut World, &Incoming, &Occasion) -> Reply + Send + 'static,
    {
        let desk = self.clone();
        let work = async move { desk.perform(operation, &incoming, execute).await };
        let task = self.0.under_way.spawn(work);
        match task.await {
            Ok(Some(response)) => response,
            Ok(None) => {
                self.0.stopping.cancelled().await;
                stopped()
            }
            Err(_) => broken(),
        }
    }

    /// `None`: nothing is ever answered.
    async fn perform<F>(
        &self,
        operation: Operation,
        incoming: &Incoming,
        execute: F,
    ) -> Option<Response>
    where
        F: FnOnce(&mut World, &Incoming, &Occasion) -> Reply,
    {
        self.touch(|world, _| world.count(operation));
        let Mishap { delay, kind } = self.faults().draw(operation);
        if !self.pause(delay).await {
            return Some(stopped());
        }
        match kind {
            Some(Kind::Refuse) => return Some(refused(operation)),
            Some(Kind::ErrorBefore) => return Some(broken()),
            Some(Kind::TooMany) => return Some(later(StatusCode::TOO_MANY_REQUESTS)),
            Some(Kind::Unavailable) => return Some(later(StatusCode::SERVICE_UNAVAILABLE)),
            Some(Kind::DropBefore) => return Some(hang_up(&incoming.scissors)),
            Some(Kind::HangBefore) => return None,
            _ => {}
        }
        let reply = self.touch(|world, now| {
            let occasion = Occasion {
                now,
                partial: kind == Some(Kind::Partial),
                again: kind == Some(Kind::Again),
            };
            execute(world, incoming, &occasion)
        });
        if operation.writes() {
            // Before the answer: what was answered is remembered, even by a sandbox that is killed.
            self.until_saved().await;
        }
        match kind {
            Some(Kind::ErrorAfter) => Some(broken()),
            Some(Kind::DropAfter) => Some(hang_up(&incoming.scissors)),
            Some(Kind::HangAfter) => None,
            Some(Kind::Garbage) => Some(garbage()),
            Some(Kind::Truncate) => Some(truncated(&incoming.scissors)),
            _ => Some(match reply {
                Ok(answer) => {
                    self.pause(answer.linger()).await;
                    answer.into_response()
                }
                Err(refusal) => refusal.into_response(),
            }),
        }
    }

    /// Wait, and tell whether the sandbox still runs.
    async fn pause(&self, delay: Duration) -> bool {
        if delay.is_zero() {
            return true;
        }
        tokio::select! {
            () = tokio::time::sleep(delay) => true,
            () = self.0.stopping.cancelled() => false,
        }
    }
}

fn ahead(by: Duration) -> time::Duration {
    time::Duration::try_from(by).unwrap_or(time::Duration::MAX)
}

fn stopped() -> Response {
    Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "the sandbox stops").into_response()
}

fn refused(operation: Operation) -> Response {
    Refusal::new(operation.refusal(), "refused by a sandbox fault").into_response()
}

fn later(status: StatusCode) -> Response {
    let refusal = Refusal::new(status, "not now, says a sandbox fault");
    ([(header::RETRY_AFTER, "1")], refusal).into_response()
}

fn broken() -> Response {
    Refusal::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        "something broke in the sandbox",
    )
    .into_response()
}

/// No byte of this answer is ever sent: the connection is closed when it is to be written.
fn hang_up(scissors: &Scissors) -> Response {
    scissors.cut();
    broken()
}

fn garbage() -> Response {
    let json = [(header::CONTENT_TYPE, "application/json")];
    (StatusCode::OK, json, "{\"success\": tr<html>").into_response()
}

/// Somewhere in the body the line goes dead.
fn truncated(scissors: &Scissors) -> Response {
    scissors.cut_after(500);
    let json = [(header::CONTENT_TYPE, "application/json")];
    let body = format!("{{\"success\": true, \"note\": \"{}\"}}", "-".repeat(1000));
    (StatusCode::OK, json, body).into_response()
}
