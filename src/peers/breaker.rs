//! A circuit breaker: a peer that fails again and again is left alone for a while, then tried with
//! one call. What is not sent waits; it does not fail.

use std::time::{Duration, Instant};

/// How often a rest is doubled at most.
const DOUBLINGS: u32 = 4;

/// One peer's breaker.
#[derive(Debug)]
pub(super) struct Breaker {
    most_failures: u32,
    first_rest: Duration,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Calls are made; so many in a row have failed.
    Closed { failures: u32 },
    /// No calls are made until then; `rests` in a row so far.
    Open { until: Instant, rests: u32 },
    /// One call is under way to see how the peer is. Should it never end, the next may be made then.
    Probing { until: Instant, rests: u32 },
}

impl Breaker {
    /// A closed breaker. After `most_failures` in a row it rests for `first_rest`, and twice as long
    /// each time in a row.
    pub fn new(most_failures: u32, first_rest: Duration) -> Self {
        Self {
            most_failures,
            first_rest,
            state: State::Closed { failures: 0 },
        }
    }

    /// Whether a call may be made now; else how long to wait.
    pub fn enter(&mut self, now: Instant) -> Result<(), Duration> {
        match self.state {
            State::Closed { .. } => Ok(()),
            State::Open { until, .. } | State::Probing { until, .. } if now < until => {
                Err(until - now)
            }
            State::Open { rests, .. } | State::Probing { rests, .. } => {
                let until = now + self.rest(rests);
                self.state = State::Probing { until, rests };
                Ok(())
            }
        }
    }

    /// A call has had an answer, whatever it was.
    pub fn succeeded(&mut self) {
        self.state = State::Closed { failures: 0 };
    }

    /// A call has had no answer that can be trusted.
    pub fn failed(&mut self, now: Instant) {
        let rests = match self.state {
            State::Closed { failures } if failures + 1 < self.most_failures => {
                self.state = State::Closed {
                    failures: failures + 1,
                };
                return;
            }
            State::Closed { .. } => 0,
            State::Probing { rests, .. } => rests + 1,
            // A call that began before says nothing new.
            State::Open { .. } => return,
        };
        let until = now + self.rest(rests);
        self.state = State::Open { until, rests };
    }

    /// Whether the peer is left alone.
    pub fn is_open(&self) -> bool {
        !matches!(self.state, State::Closed { .. })
    }

    fn rest(&self, rests: u32) -> Duration {
        self.first_rest * (1 << rests.min(DOUBLINGS))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAILURES: u32 = 10;
    const REST: Duration = Duration::from_secs(5);

    fn opened(now: Instant) -> Breaker {
        let mut breaker = Breaker::new(FAILURES, REST);
        for _ in 0..FAILURES {
            assert_eq!(breaker.enter(now), Ok(()));
            breaker.failed(now);
        }
        breaker
    }

    #[test]
    fn consecutive_failures_open_the_breaker() {
        let now = Instant::now();
        let mut breaker = Breaker::new(FAILURES, REST);
        for _ in 0..FAILURES * 3 {
            breaker.failed(now);
            breaker.succeeded();
        }
        assert!(!breaker.is_open());
        assert_eq!(opened(now).enter(now), Err(REST));
    }

    #[test]
    fn a_successful_probe_closes_the_breaker() {
        let now = Instant::now();
        let mut breaker = opened(now);
        assert_eq!(breaker.enter(now + REST), Ok(()));
        assert!(breaker.enter(now + REST).is_err(), "a second probe");
        breaker.succeeded();
        assert_eq!(breaker.enter(now + REST), Ok(()));
        assert!(!breaker.is_open());
    }

    #[test]
    fn a_failed_probe_doubles_the_rest_up_to_a_limit() {
        let mut now = Instant::now();
        let mut breaker = opened(now);
        for rests in 0..10 {
            let rest = REST * (1 << rests.min(4));
            assert_eq!(breaker.enter(now), Err(rest));
            now += rest;
            assert_eq!(breaker.enter(now), Ok(()));
            breaker.failed(now);
        }
    }

    #[test]
    fn a_probe_that_never_ends_does_not_block_the_breaker() {
        let now = Instant::now();
        let mut breaker = opened(now);
        assert_eq!(breaker.enter(now + REST), Ok(()));
        assert_eq!(breaker.enter(now + REST + REST), Ok(()));
    }

    #[test]
    fn calls_begun_before_the_breaker_opened_do_not_extend_it() {
        let now = Instant::now();
        let mut breaker = opened(now);
        breaker.failed(now + REST / 2);
        assert_eq!(breaker.enter(now + REST), Ok(()));
    }
}
