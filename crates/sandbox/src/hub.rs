//! The hub that handles every call: it counts the call, applies the active faults and executes the
//! operation on the state.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use time::OffsetDateTime;
use tokio::sync::{Notify, mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::disconnect::Disconnector;
use super::fault::{ActiveFaults, InjectedFault, Kind};
use super::incoming::Incoming;
use super::operation::Operation;
use super::parcel_updates::ParcelUpdate;
use super::reply::{Refusal, Reply};
use super::state::{CallContext, SandboxState};
use super::tokens::Tokens;

/// Shared by all stand-ins; cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Hub(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    state: Mutex<SandboxState>,
    faults: Mutex<ActiveFaults>,
    clock_offset: Mutex<Duration>,
    changed: Notify,
    /// The number of changes, and how many of them are saved; `None` without a state file.
    changes: AtomicU64,
    saved: Option<watch::Sender<u64>>,
    tokens: Tokens,
    parcel_updates: Option<mpsc::Sender<ParcelUpdate>>,
    stopping: CancellationToken,
    running: TaskTracker,
}

/// Ignores poisoning: every update leaves the values consistent.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Hub {
    /// A hub for this state.
    pub fn new(
        state: SandboxState,
        tokens: Tokens,
        parcel_updates: Option<mpsc::Sender<ParcelUpdate>>,
        stopping: CancellationToken,
        is_saved: bool,
    ) -> Self {
        Self(Arc::new(Shared {
            state: Mutex::new(state),
            faults: Mutex::default(),
            clock_offset: Mutex::default(),
            changed: Notify::new(),
            changes: AtomicU64::new(0),
            saved: is_saved.then(|| watch::Sender::new(0)),
            tokens,
            parcel_updates,
            stopping,
            running: TaskTracker::new(),
        }))
    }

    /// Reads the current state.
    pub fn read<R>(&self, read: impl FnOnce(&SandboxState) -> R) -> R {
        let mut state = lock(&self.0.state);
        state.inventory.expire(self.now());
        read(&state)
    }

    /// Updates the state and schedules a save.
    pub fn update<R>(&self, change: impl FnOnce(&mut SandboxState, OffsetDateTime) -> R) -> R {
        let changed = self.update_unsaved(change);
        self.0.changed.notify_one();
        changed
    }

    /// Updates the state without scheduling a save.
    fn update_unsaved<R>(&self, change: impl FnOnce(&mut SandboxState, OffsetDateTime) -> R) -> R {
        let mut state = lock(&self.0.state);
        let now = self.now();
        state.inventory.expire(now);
        change(&mut state, now)
    }

    /// The active faults.
    pub fn faults(&self) -> MutexGuard<'_, ActiveFaults> {
        lock(&self.0.faults)
    }

    /// The token signer.
    pub fn tokens(&self) -> &Tokens {
        &self.0.tokens
    }

    /// Queues an update for the service. A full queue drops it; the service also polls its parcels.
    pub fn publish(&self, update: ParcelUpdate) {
        if let Some(sender) = &self.0.parcel_updates {
            let _ = sender.try_send(update);
        }
    }

    async fn wait_until_saved(&self) {
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

    /// The number of changes so far.
    pub fn changes(&self) -> u64 {
        self.0.changes.load(Ordering::SeqCst)
    }

    /// Reports that this many changes are saved.
    pub fn saved(&self, changes: u64) {
        if let Some(saved) = &self.0.saved {
            saved.send_replace(changes);
        }
    }

    /// Resolves after the state has changed since the last call.
    pub async fn changed(&self) {
        self.0.changed.notified().await;
    }

    /// Resolves when no operation is executing, operations of disconnected clients included.
    pub async fn wait_until_idle(&self) {
        self.0.running.close();
        self.0.running.wait().await;
    }

    /// Cancelled when the sandbox stops.
    pub fn stopping(&self) -> &CancellationToken {
        &self.0.stopping
    }

    /// The current time of the sandbox: the machine's clock plus the configured offset.
    pub fn now(&self) -> OffsetDateTime {
        crate::clock::now().saturating_add(signed(*lock(&self.0.clock_offset)))
    }

    /// Moves the sandbox's clock forward.
    pub fn advance_clock(&self, by: Duration) {
        let mut ahead = lock(&self.0.clock_offset);
        *ahead = ahead.saturating_add(by);
    }

    /// Handles one call. The operation runs in its own task, so it executes even if the client
    /// disconnects. That is the hazard of a slow peer.
    pub async fn serve<F>(&self, operation: Operation, incoming: Incoming, execute: F) -> Response
    where
        F: FnOnce(&mut SandboxState, &Incoming, &CallContext) -> Reply + Send + 'static,
    {
        let hub = self.clone();
        let work = async move { hub.perform(operation, &incoming, execute).await };
        let task = self.0.running.spawn(work);
        match task.await {
            Ok(Some(response)) => response,
            Ok(None) => {
                self.0.stopping.cancelled().await;
                stopped()
            }
            Err(_) => internal_error(),
        }
    }

    /// Executes one call; `None` means that the client never gets a response.
    async fn perform<F>(
        &self,
        operation: Operation,
        incoming: &Incoming,
        execute: F,
    ) -> Option<Response>
    where
        F: FnOnce(&mut SandboxState, &Incoming, &CallContext) -> Reply,
    {
        self.update_unsaved(|state, _| state.count(operation));
        let InjectedFault { delay, kind } = self.faults().draw(operation);
        if !self.pause(delay).await {
            return Some(stopped());
        }
        match kind {
            Some(Kind::Refuse) => return Some(refused(operation)),
            Some(Kind::ErrorBefore) => return Some(internal_error()),
            Some(Kind::TooMany) => return Some(retry_later(StatusCode::TOO_MANY_REQUESTS)),
            Some(Kind::Unavailable) => return Some(retry_later(StatusCode::SERVICE_UNAVAILABLE)),
            Some(Kind::DropBefore) => return Some(hang_up(&incoming.disconnector)),
            Some(Kind::HangBefore) => return None,
            _ => {}
        }
        let reply = self.update_unsaved(|state, now| {
            let context = CallContext {
                now,
                partial: kind == Some(Kind::Partial),
                again: kind == Some(Kind::Again),
            };
            execute(state, incoming, &context)
        });
        if operation.writes() {
            // Saving before the response makes an acknowledged change survive a killed sandbox.
            self.wait_until_saved().await;
        }
        match kind {
            Some(Kind::ErrorAfter) => Some(internal_error()),
            Some(Kind::DropAfter) => Some(hang_up(&incoming.disconnector)),
            Some(Kind::HangAfter) => None,
            Some(Kind::Garbage) => Some(garbage()),
            Some(Kind::Truncate) => Some(truncated(&incoming.disconnector)),
            _ => Some(match reply {
                Ok(answer) => {
                    self.pause(answer.delay()).await;
                    answer.into_response()
                }
                Err(refusal) => refusal.into_response(),
            }),
        }
    }

    /// Waits; returns whether the sandbox still runs.
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

fn signed(by: Duration) -> time::Duration {
    time::Duration::try_from(by).unwrap_or(time::Duration::MAX)
}

fn stopped() -> Response {
    Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "the sandbox stops").into_response()
}

fn refused(operation: Operation) -> Response {
    Refusal::new(operation.refusal(), "refused by a sandbox fault").into_response()
}

fn retry_later(status: StatusCode) -> Response {
    let refusal = Refusal::new(status, "not now, says a sandbox fault");
    ([(header::RETRY_AFTER, "1")], refusal).into_response()
}

fn internal_error() -> Response {
    Refusal::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        "something broke in the sandbox",
    )
    .into_response()
}

/// Closes the connection before the first byte of the response.
fn hang_up(disconnector: &Disconnector) -> Response {
    disconnector.disconnect();
    internal_error()
}

fn garbage() -> Response {
    let json = [(header::CONTENT_TYPE, "application/json")];
    (StatusCode::OK, json, "{\"success\": tr<html>").into_response()
}

/// Closes the connection in the middle of the body.
fn truncated(disconnector: &Disconnector) -> Response {
    disconnector.disconnect_after(500);
    let json = [(header::CONTENT_TYPE, "application/json")];
    let body = format!("{{\"success\": true, \"note\": \"{}\"}}", "-".repeat(1000));
    (StatusCode::OK, json, body).into_response()
}
