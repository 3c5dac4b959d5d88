//! The client timeouts of a connection.
//!
//! | the client | since | timeout |
//! |---|---|---|
//! | sends the head of its first request | the start of the connection | `header_timeout` |
//! | sends the head of a further one (HTTP/1.1) | its first byte | `header_timeout` |
//! | is idle | the end of the last response | `keep_alive` |
//! | reads a chunk of a response | the previous chunk | `write_timeout` |
//!
//! Request bodies have a timeout of their own in `http`. The time that the service takes for a response does
//! not count.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use axum::http::Version;

use super::ConnectionLimits;

/// The timeout that a client exceeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientTimeout {
    /// The head of a request is incomplete.
    Head,
    /// No further request.
    Idle,
    /// The client does not read its response.
    Stalled,
}

impl ClientTimeout {
    /// The name in metrics.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Head => "header_timeout",
            Self::Idle => "idle",
            Self::Stalled => "stalled",
        }
    }
}

/// The activity of one connection.
#[derive(Debug)]
pub struct Activity {
    limits: ConnectionLimits,
    state: Mutex<ActivityState>,
}

#[derive(Debug)]
struct ActivityState {
    /// When the connection began or its last response ended.
    since: Instant,
    /// Whether there was any request.
    has_requested: bool,
    /// With HTTP/2, bytes between requests need not be the head of one.
    is_http2: bool,
    /// When the first byte of the next request arrived.
    head_since: Option<Instant>,
    /// Requests in flight.
    in_flight: usize,
    /// The id of the latest request.
    next: u64,
    /// Requests with a chunk that waits for the client, and since when.
    pending: HashMap<u64, Instant>,
    /// Since when the socket accepts no more bytes.
    blocked: Option<Instant>,
}

impl Activity {
    /// For a connection that begins now.
    pub fn new(limits: ConnectionLimits) -> Self {
        let state = ActivityState {
            since: Instant::now(),
            has_requested: false,
            is_http2: false,
            head_since: None,
            in_flight: 0,
            next: 0,
            pending: HashMap::new(),
            blocked: None,
        };
        Self {
            limits,
            state: Mutex::new(state),
        }
    }

    fn state(&self) -> MutexGuard<'_, ActivityState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A request begins.
    pub fn begin(this: &Arc<Self>, version: Version) -> RequestInFlight {
        let mut state = this.state();
        state.has_requested = true;
        state.is_http2 = version == Version::HTTP_2;
        state.in_flight += 1;
        state.next += 1;
        RequestInFlight {
            id: state.next,
            activity: this.clone(),
        }
    }

    /// Bytes were received.
    pub fn has_read(&self) {
        let mut state = self.state();
        if state.in_flight == 0 && state.head_since.is_none() {
            state.head_since = Some(Instant::now());
        }
    }

    /// Whether the socket accepted bytes.
    pub fn socket_writable(&self, is_writable: bool) {
        let mut state = self.state();
        match is_writable {
            true => state.blocked = None,
            false => _ = state.blocked.get_or_insert_with(Instant::now),
        }
    }

    /// The server begins to close the connection: the idle timeout starts again.
    pub fn begin_close(&self) -> Instant {
        let now = Instant::now();
        let mut state = self.state();
        state.since = now;
        state.head_since = None;
        now
    }

    /// When to check the timeouts again. No timeout that starts later can expire earlier.
    pub fn next_check(&self) -> Instant {
        let limits = &self.limits;
        let shortest = limits
            .header_timeout
            .min(limits.keep_alive)
            .min(limits.write_timeout);
        let latest = Instant::now() + shortest;
        let due = self.state().due(limits);
        due.map_or(latest, |(at, _)| at.min(latest))
    }

    /// The timeout that has expired, if any.
    pub fn expired(&self, now: Instant) -> Option<ClientTimeout> {
        let due = self.state().due(&self.limits);
        due.filter(|(at, _)| *at <= now).map(|(_, timeout)| timeout)
    }
}

impl ActivityState {
    /// The timeout that expires next, and when.
    fn due(&self, limits: &ConnectionLimits) -> Option<(Instant, ClientTimeout)> {
        let pending = self.pending.values().chain(self.blocked.as_ref()).min();
        if let Some(&since) = pending {
            return Some((since + limits.write_timeout, ClientTimeout::Stalled));
        }
        if self.in_flight > 0 {
            return None;
        }
        Some(match self.head_since {
            _ if !self.has_requested => (self.since + limits.header_timeout, ClientTimeout::Head),
            Some(since) if !self.is_http2 => (since + limits.header_timeout, ClientTimeout::Head),
            _ => (self.since + limits.keep_alive, ClientTimeout::Idle),
        })
    }
}

/// A request, until the last chunk of its response.
#[derive(Debug)]
pub struct RequestInFlight {
    id: u64,
    activity: Arc<Activity>,
}

impl RequestInFlight {
    /// A chunk of the response waits for the client.
    pub fn chunk_pending(&self) {
        let mut state = self.activity.state();
        state.pending.insert(self.id, Instant::now());
    }

    /// The client has taken it.
    pub fn chunk_taken(&self) {
        self.activity.state().pending.remove(&self.id);
    }
}

impl Drop for RequestInFlight {
    fn drop(&mut self) {
        let mut state = self.activity.state();
        state.pending.remove(&self.id);
        state.in_flight -= 1;
        state.since = Instant::now();
        state.head_since = None;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const LIMITS: ConnectionLimits = ConnectionLimits {
        max_connections: 1,
        header_timeout: Duration::from_secs(10),
        keep_alive: Duration::from_secs(75),
        write_timeout: Duration::from_secs(30),
    };

    fn connection() -> Arc<Activity> {
        Arc::new(Activity::new(LIMITS))
    }

    /// The timeout that expires when the client does nothing for some seconds.
    fn after(activity: &Activity, seconds: u64) -> Option<ClientTimeout> {
        activity.expired(Instant::now() + Duration::from_secs(seconds))
    }

    #[test]
    fn a_connection_without_requests_times_out() {
        let connection = connection();
        assert_eq!(after(&connection, 9), None);
        assert_eq!(after(&connection, 11), Some(ClientTimeout::Head));
        drop(Activity::begin(&connection, Version::HTTP_11));
        assert_eq!(after(&connection, 74), None);
        assert_eq!(after(&connection, 76), Some(ClientTimeout::Idle));
    }

    #[test]
    fn an_unfinished_second_request_head_times_out() {
        for (version, expected) in [
            (Version::HTTP_11, Some(ClientTimeout::Head)),
            (Version::HTTP_2, None),
        ] {
            let connection = connection();
            drop(Activity::begin(&connection, version));
            connection.has_read();
            assert_eq!(after(&connection, 11), expected);
        }
    }

    #[test]
    fn only_time_spent_waiting_for_the_client_counts() {
        let connection = connection();
        let request = Activity::begin(&connection, Version::HTTP_11);
        assert_eq!(after(&connection, 10_000), None);
        request.chunk_pending();
        assert_eq!(after(&connection, 29), None);
        assert_eq!(after(&connection, 31), Some(ClientTimeout::Stalled));
        request.chunk_taken();
        assert_eq!(after(&connection, 10_000), None);
        connection.socket_writable(false);
        assert_eq!(after(&connection, 31), Some(ClientTimeout::Stalled));
        connection.socket_writable(true);
        assert_eq!(after(&connection, 10_000), None);
    }

    #[test]
    fn one_stalled_response_is_detected_among_others() {
        let connection = connection();
        let stalled = Activity::begin(&connection, Version::HTTP_2);
        stalled.chunk_pending();
        let other = Activity::begin(&connection, Version::HTTP_2);
        other.chunk_pending();
        other.chunk_taken();
        drop(other);
        assert_eq!(after(&connection, 31), Some(ClientTimeout::Stalled));
        drop(stalled);
        assert_eq!(after(&connection, 31), None);
    }

    #[test]
    fn the_next_check_is_never_after_a_timeout() {
        let connection = connection();
        let within = |seconds| Instant::now() + Duration::from_secs(seconds);
        assert!(connection.next_check() <= within(10));
        let request = Activity::begin(&connection, Version::HTTP_11);
        assert!(connection.next_check() <= within(10));
        request.chunk_pending();
        assert!(connection.next_check() <= within(10));
    }
}
