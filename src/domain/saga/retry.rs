//! When a saga runs again: the retry policy, exponential backoff, the schedule of parcel tracking.

use std::time::Duration;

use crate::domain::status::ShippingStatus;

use super::plan::Plan;
use super::{Saga, StepResult};

/// The longest time between two look-ups of a parcel.
const LONGEST_TRACKING_INTERVAL: Duration = Duration::from_secs(3600);

/// The delays of a saga.
#[derive(Clone, Debug)]
pub struct RetryPolicy {
    /// The delay after the first unclear answer; it doubles with each further one.
    pub base: Duration,
    /// The longest delay.
    pub cap: Duration,
    /// The shortest time between two look-ups of a parcel.
    pub follow_interval: Duration,
    /// The time between the end of a compensation and the late-arrival check.
    pub sweep_after: Duration,
}

/// When a saga runs again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NextRun {
    /// At once, by the same worker, whose lease continues.
    Now,
    /// After exactly this delay, by any worker: the lease is released.
    After(Duration),
    /// After a backoff with jitter, by any worker: the lease is released.
    Retry(Backoff),
    /// Never, unless a cancel request or staff ask for it.
    Never,
}

/// An exponential backoff before jitter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// The delay; jitter takes between half and all of it.
    pub delay: Duration,
    /// The delay from `Retry-After`, a lower bound.
    pub at_least: Duration,
}

impl Backoff {
    /// `base`, doubled `attempts` times, at most `cap`; and at least `retry_after`.
    pub fn exponential(
        base: Duration,
        cap: Duration,
        attempts: i32,
        retry_after: Option<Duration>,
    ) -> Self {
        let doublings = u32::try_from(attempts.clamp(0, 20)).unwrap_or(20);
        Self {
            delay: base.saturating_mul(1 << doublings).min(cap),
            at_least: retry_after.unwrap_or_default(),
        }
    }

    /// The delay with jitter. `shorten` and `lengthen` are uniform in 0 to 1: the first takes the delay
    /// down to at least half, the second takes the peer's pause up by at most a quarter, so that
    /// clients that were told to wait do not all return at the same moment.
    pub fn jittered(self, shorten: f64, lengthen: f64) -> Duration {
        let delay = self.delay.mul_f64(1.0 - shorten / 2.0);
        delay.max(self.at_least.mul_f64(1.0 + lengthen / 4.0))
    }
}

/// Whether the parcel has reached a final status, after which tracking ends.
pub fn is_tracking_over(status: ShippingStatus) -> bool {
    matches!(
        status,
        ShippingStatus::Delivered | ShippingStatus::Cancelled | ShippingStatus::Returned
    )
}

/// The attempts to count after a result: they grow while the step has no definite answer or the parcel
/// does not move, and return to zero with any progress.
pub(super) fn attempts_after(
    before: &Saga,
    plan: Plan,
    is_news: bool,
    result: Option<&StepResult>,
) -> i32 {
    let is_idle = before.plan == Plan::Completed && plan == Plan::Completed && !is_news;
    if result.is_some_and(StepResult::is_held_back) {
        before.attempts
    } else if result.is_some_and(StepResult::is_open) || is_idle {
        before.attempts.saturating_add(1)
    } else {
        0
    }
}

impl RetryPolicy {
    /// When the saga runs after a result has taken it from `before` to `after`.
    pub(super) fn next_run(
        &self,
        before: &Saga,
        after: &Saga,
        result: Option<&StepResult>,
    ) -> NextRun {
        let retry_after = result.and_then(|result| result.retry_after);
        let is_open = result.is_some_and(StepResult::is_open);
        let retry = |attempts| {
            NextRun::Retry(Backoff::exponential(
                self.base,
                self.cap,
                attempts,
                retry_after,
            ))
        };
        match after.plan {
            Plan::Stuck { .. } => NextRun::Never,
            Plan::Undone if before.plan != Plan::Undone => NextRun::After(self.sweep_after),
            Plan::Undone if !is_open => NextRun::Never,
            // A cancel request that arrived during the step is handled at once.
            Plan::Completed if after.cancel_request.is_some() => NextRun::Now,
            Plan::Completed if is_tracking_over(after.order.state.shipping_status) => {
                NextRun::Never
            }
            Plan::Completed => self.next_tracking(after.attempts, retry_after),
            _ if result.is_some_and(StepResult::is_held_back) => retry(0),
            _ if is_open => retry(after.attempts - 1),
            _ => NextRun::Now,
        }
    }

    /// Parcels take days: the interval doubles only with every fourth look-up without news.
    fn next_tracking(&self, attempts: i32, retry_after: Option<Duration>) -> NextRun {
        let cap = LONGEST_TRACKING_INTERVAL.max(self.follow_interval);
        NextRun::Retry(Backoff::exponential(
            self.follow_interval,
            cap,
            attempts / 4,
            retry_after,
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delay_doubles_up_to_its_cap() {
        let (base, cap) = (Duration::from_millis(100), Duration::from_secs(10));
        for attempts in [0, 1, 5, 100, i32::MAX] {
            let full = Duration::from_millis(100 << attempts.min(10)).min(cap);
            let backoff = Backoff::exponential(base, cap, attempts, None);
            assert_eq!(backoff.jittered(0.0, 0.0), full, "{attempts}");
            assert_eq!(backoff.jittered(1.0, 1.0), full / 2, "{attempts}");
        }
    }

    #[test]
    fn a_delay_is_never_shorter_than_retry_after() {
        let asked = Duration::from_secs(60);
        let (base, cap) = (Duration::from_millis(100), Duration::from_secs(10));
        let backoff = Backoff::exponential(base, cap, 0, Some(asked));
        assert_eq!(backoff.jittered(1.0, 0.0), asked);
        assert_eq!(backoff.jittered(0.0, 1.0), asked + asked / 4);
    }
}
