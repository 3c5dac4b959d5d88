//! How long to wait before asking again.

use std::time::Duration;

/// A growing, jittered delay: `base` doubled with each attempt, at most `cap`, of which between half
/// and all is taken; never less than what the peer asked for, within reason.
pub(super) fn delay(
    base: Duration,
    cap: Duration,
    attempts: i32,
    asked: Option<Duration>,
) -> Duration {
    let doublings = u32::try_from(attempts.clamp(0, 20)).unwrap_or(20);
    let full = base.saturating_mul(1 << doublings).min(cap);
    let jittered = full.mul_f64(rand::random_range(0.5..=1.0));
    // Those who were asked to wait must not all come back at the same moment.
    let asked = asked
        .unwrap_or_default()
        .mul_f64(rand::random_range(1.0..=1.25));
    jittered.max(asked)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backoff_grows_to_a_cap_and_honours_retry_after() {
        let (base, cap) = (Duration::from_millis(100), Duration::from_secs(10));
        for attempts in [0, 1, 5, 100, i32::MAX] {
            let full = Duration::from_millis(100 << attempts.min(10)).min(cap);
            let delay = delay(base, cap, attempts, None);
            assert!(delay >= full / 2 && delay <= full, "{attempts}: {delay:?}");
        }
        let asked = Duration::from_secs(60);
        assert!(delay(base, cap, 0, Some(asked)) >= asked);
    }
}
