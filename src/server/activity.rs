//! What a connection waits for its client with, and since when.
//!
//! | the client | from | may take |
//! |---|---|---|
//! | sends the head of its first request | the connection's begin | `header_timeout` |
//! | sends the head of a further one (HTTP/1.1) | its first byte | `header_timeout` |
//! | sends no further one | the end of the last answer | `keep_alive` |
//! | takes a part of an answer | the part before it | `write_timeout` |
//!
//! The body of a request is not watched here: the service reads it, within a time of its own. Nor is the
//! service: an answer that it has no more of so far may take as long as it likes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use axum::http::Version;

use super::Limits;

/// What a client was too slow at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slow {
    /// It did not send the head of a request.
    Head,
    /// It did not ask for anything more.
    Idle,
    /// It did not take its answer.
    Stalled,
}

impl Slow {
    /// The name in metrics.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Head => "header_timeout",
            Self::Idle => "idle",
            Self::Stalled => "stalled",
        }
    }
}

/// One connection's.
#[derive(Debug)]
pub struct Activity {
    limits: Limits,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// When the connection, or the last request on it, came to what it is.
    since: Instant,
    /// Whether there was a request.
    has_asked: bool,
    /// Whether bytes that come between requests are not necessarily the head of one.
    is_http2: bool,
    /// When the first byte of the next request came.
    head_since: Option<Instant>,
    /// How many requests are being answered.
    under_way: usize,
    /// The number of the next request.
    next: u64,
    /// Requests of which a part of the answer waits for the client, since when.
    offered: HashMap<u64, Instant>,
    /// Since when the connection takes no more bytes.
    blocked: Option<Instant>,
}

impl Activity {
    /// A connection's that begins now.
    pub fn new(limits: Limits) -> Self {
        let state = State {
            since: Instant::now(),
            has_asked: false,
            is_http2: false,
            head_since: None,
            under_way: 0,
            next: 0,
            offered: HashMap::new(),
            blocked: None,
        };
        Self {
            limits,
            state: Mutex::new(state),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A request has come.
    pub fn begin(this: &Arc<Self>, version: Version) -> UnderWay {
        let mut state = this.state();
        state.has_asked = true;
        state.is_http2 = version == Version::HTTP_2;
        state.under_way += 1;
        state.next += 1;
        UnderWay {
            number: state.next,
            activity: this.clone(),
        }
    }

    /// Bytes have come.
    pub fn has_read(&self) {
        let mut state = self.state();
        if state.under_way == 0 && state.head_since.is_none() {
            state.head_since = Some(Instant::now());
        }
    }

    /// Bytes were taken, or were not.
    pub fn has_written(&self, took: bool) {
        let mut state = self.state();
        match took {
            true => state.blocked = None,
            false => _ = state.blocked.get_or_insert_with(Instant::now),
        }
    }

    /// The client was told that the connection ends; from now on it has no reason to be silent.
    pub fn leave(&self) -> Instant {
        let now = Instant::now();
        let mut state = self.state();
        state.since = now;
        state.head_since = None;
        now
    }

    /// When to look again at the latest: nothing that begins later can be too slow before that.
    pub fn look_again(&self) -> Instant {
        let limits = &self.limits;
        let shortest = limits
            .header_timeout
            .min(limits.keep_alive)
            .min(limits.write_timeout);
        let latest = Instant::now() + shortest;
        let due = self.state().due(limits);
        due.map_or(latest, |(at, _)| at.min(latest))
    }

    /// What the client is too slow at, if anything.
    pub fn slow(&self, now: Instant) -> Option<Slow> {
        let due = self.state().due(&self.limits);
        due.filter(|(at, _)| *at <= now).map(|(_, slow)| slow)
    }
}

impl State {
    /// What the client is too slow at next, and when.
    fn due(&self, limits: &Limits) -> Option<(Instant, Slow)> {
        let offered = self.offered.values().chain(self.blocked.as_ref()).min();
        if let Some(&since) = offered {
            return Some((since + limits.write_timeout, Slow::Stalled));
        }
        if self.under_way > 0 {
            return None;
        }
        Some(match self.head_since {
            _ if !self.has_asked => (self.since + limits.header_timeout, Slow::Head),
            Some(since) if !self.is_http2 => (since + limits.header_timeout, Slow::Head),
            _ => (self.since + limits.keep_alive, Slow::Idle),
        })
    }
}

/// A request that is being answered, up to the last part of the answer.
#[derive(Debug)]
pub struct UnderWay {
    number: u64,
    activity: Arc<Activity>,
}

impl UnderWay {
    /// A part of the answer is there for the client to take.
    pub fn offered(&self) {
        let mut state = self.activity.state();
        state.offered.insert(self.number, Instant::now());
    }

    /// The client has taken it.
    pub fn taken(&self) {
        self.activity.state().offered.remove(&self.number);
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let mut state = self.activity.state();
        state.offered.remove(&self.number);
        state.under_way -= 1;
        state.since = Instant::now();
        state.head_since = None;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const LIMITS: Limits = Limits {
        max_connections: 1,
        header_timeout: Duration::from_secs(10),
        keep_alive: Duration::from_secs(75),
        write_timeout: Duration::from_secs(30),
    };

    fn connection() -> Arc<Activity> {
        Arc::new(Activity::new(LIMITS))
    }

    /// What the client is too slow at when it does nothing for so many seconds.
    fn after(activity: &Activity, seconds: u64) -> Option<Slow> {
        activity.slow(Instant::now() + Duration::from_secs(seconds))
    }

    #[test]
    fn a_connection_without_requests_times_out() {
        let connection = connection();
        assert_eq!(after(&connection, 9), None);
        assert_eq!(after(&connection, 11), Some(Slow::Head));
        drop(Activity::begin(&connection, Version::HTTP_11));
        assert_eq!(after(&connection, 74), None);
        assert_eq!(after(&connection, 76), Some(Slow::Idle));
    }

    #[test]
    fn an_unfinished_second_request_head_times_out() {
        for (version, expected) in [
            (Version::HTTP_11, Some(Slow::Head)),
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
        request.offered();
        assert_eq!(after(&connection, 29), None);
        assert_eq!(after(&connection, 31), Some(Slow::Stalled));
        request.taken();
        assert_eq!(after(&connection, 10_000), None);
        connection.has_written(false);
        assert_eq!(after(&connection, 31), Some(Slow::Stalled));
        connection.has_written(true);
        assert_eq!(after(&connection, 10_000), None);
    }

    #[test]
    fn one_stalled_response_is_detected_among_others() {
        let connection = connection();
        let stalled = Activity::begin(&connection, Version::HTTP_2);
        stalled.offered();
        let other = Activity::begin(&connection, Version::HTTP_2);
        other.offered();
        other.taken();
        drop(other);
        assert_eq!(after(&connection, 31), Some(Slow::Stalled));
        drop(stalled);
        assert_eq!(after(&connection, 31), None);
    }

    #[test]
    fn the_next_check_is_never_after_a_timeout() {
        let connection = connection();
        let within = |seconds| Instant::now() + Duration::from_secs(seconds);
        assert!(connection.look_again() <= within(10));
        let request = Activity::begin(&connection, Version::HTTP_11);
        assert!(connection.look_again() <= within(10));
        request.offered();
        assert!(connection.look_again() <= within(10));
    }
}
