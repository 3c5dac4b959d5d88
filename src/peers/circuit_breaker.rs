//! A circuit breaker for one peer. After many failures in a row it opens, and calls fail at once
//! without being sent. After a cooldown it is half-open: one probe decides whether it closes.

use std::time::{Duration, Instant};

/// The cooldown doubles at most this many times.
const MAX_DOUBLINGS: u32 = 4;

/// The circuit breaker of one peer.
#[derive(Debug)]
pub(super) struct CircuitBreaker {
    failure_threshold: u32,
    first_cooldown: Duration,
    state: BreakerState,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum BreakerState {
    /// Calls are sent. Counts the failures in a row.
    Closed { failures: u32 },
    /// No call is sent before `until`. Counts the failed probes in a row.
    Open { until: Instant, failed_probes: u32 },
    /// One probe is in flight. If it never ends, another may start at `until`.
    HalfOpen { until: Instant, failed_probes: u32 },
}

impl CircuitBreaker {
    /// A closed breaker. It opens after `failure_threshold` failures in a row, for `first_cooldown`;
    /// each failed probe doubles the cooldown.
    pub fn new(failure_threshold: u32, first_cooldown: Duration) -> Self {
        Self {
            failure_threshold,
            first_cooldown,
            state: BreakerState::Closed { failures: 0 },
        }
    }

    /// Allows a call now, or returns how long the breaker stays open.
    pub fn allow(&mut self, now: Instant) -> Result<(), Duration> {
        match self.state {
            BreakerState::Closed { .. } => Ok(()),
            BreakerState::Open { until, .. } | BreakerState::HalfOpen { until, .. }
                if now < until =>
            {
                Err(until - now)
            }
            BreakerState::Open { failed_probes, .. }
            | BreakerState::HalfOpen { failed_probes, .. } => {
                let until = now + self.cooldown(failed_probes);
                self.state = BreakerState::HalfOpen {
                    until,
                    failed_probes,
                };
                Ok(())
            }
        }
    }

    /// Closes the breaker: a call has had a trustworthy response, a rejection included.
    pub fn record_success(&mut self) {
        self.state = BreakerState::Closed { failures: 0 };
    }

    /// Counts a call without a trustworthy response.
    pub fn record_failure(&mut self, now: Instant) {
        let failed_probes = match self.state {
            BreakerState::Closed { failures } if failures + 1 < self.failure_threshold => {
                self.state = BreakerState::Closed {
                    failures: failures + 1,
                };
                return;
            }
            BreakerState::Closed { .. } => 0,
            BreakerState::HalfOpen { failed_probes, .. } => failed_probes + 1,
            // The call started before the breaker opened, so it tells nothing new.
            BreakerState::Open { .. } => return,
        };
        let until = now + self.cooldown(failed_probes);
        self.state = BreakerState::Open {
            until,
            failed_probes,
        };
    }

    /// Whether the breaker is open or half-open.
    pub fn is_open(&self) -> bool {
        !matches!(self.state, BreakerState::Closed { .. })
    }

    fn cooldown(&self, failed_probes: u32) -> Duration {
        self.first_cooldown * (1 << failed_probes.min(MAX_DOUBLINGS))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAILURES: u32 = 10;
    const COOLDOWN: Duration = Duration::from_secs(5);

    fn opened(now: Instant) -> CircuitBreaker {
        let mut breaker = CircuitBreaker::new(FAILURES, COOLDOWN);
        for _ in 0..FAILURES {
            assert_eq!(breaker.allow(now), Ok(()));
            breaker.record_failure(now);
        }
        breaker
    }

    #[test]
    fn consecutive_failures_open_the_breaker() {
        let now = Instant::now();
        let mut breaker = CircuitBreaker::new(FAILURES, COOLDOWN);
        for _ in 0..FAILURES * 3 {
            breaker.record_failure(now);
            breaker.record_success();
        }
        assert!(!breaker.is_open());
        assert_eq!(opened(now).allow(now), Err(COOLDOWN));
    }

    #[test]
    fn a_successful_probe_closes_the_breaker() {
        let now = Instant::now();
        let mut breaker = opened(now);
        assert_eq!(breaker.allow(now + COOLDOWN), Ok(()));
        assert!(breaker.allow(now + COOLDOWN).is_err(), "a second probe");
        breaker.record_success();
        assert_eq!(breaker.allow(now + COOLDOWN), Ok(()));
        assert!(!breaker.is_open());
    }

    #[test]
    fn a_failed_probe_doubles_the_cooldown_up_to_a_limit() {
        let mut now = Instant::now();
        let mut breaker = opened(now);
        for failed_probes in 0..10 {
            let cooldown = COOLDOWN * (1 << failed_probes.min(4));
            assert_eq!(breaker.allow(now), Err(cooldown));
            now += cooldown;
            assert_eq!(breaker.allow(now), Ok(()));
            breaker.record_failure(now);
        }
    }

    #[test]
    fn a_probe_that_never_ends_does_not_block_the_breaker() {
        let now = Instant::now();
        let mut breaker = opened(now);
        assert_eq!(breaker.allow(now + COOLDOWN), Ok(()));
        assert_eq!(breaker.allow(now + COOLDOWN + COOLDOWN), Ok(()));
    }

    #[test]
    fn calls_begun_before_the_breaker_opened_do_not_extend_it() {
        let now = Instant::now();
        let mut breaker = opened(now);
        breaker.record_failure(now + COOLDOWN / 2);
        assert_eq!(breaker.allow(now + COOLDOWN), Ok(()));
    }
}
