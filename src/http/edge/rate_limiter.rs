//! Rate limiters: one token bucket per caller, which refills at a steady rate (GCRA, by `governor`).
//!
//! Responses carry the fields of draft-ietf-httpapi-ratelimit-headers-10. `RateLimit-Policy:
//! "default";q=200;w=4` describes a bucket of 200 requests that refills in 4 seconds. `RateLimit:
//! "default";r=198;t=1` says that 198 requests remain and that the bucket is full in 1 second; if `r` is 0,
//! `t` is the time until the next request is accepted.

use std::hash::{BuildHasher as _, Hash, RandomState};
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue};
use governor::RateLimiter;
use governor::clock::{Clock as _, DefaultClock};
use governor::middleware::StateInformationMiddleware;
use governor::state::keyed::HashMapStateStore;

use crate::http::headers::{RATE_LIMIT, RATE_LIMIT_POLICY};

use super::limits::RequestLimits;

/// Factor of the buckets of staff and peer services, and of the bucket of all sign-ins from an address.
const LARGER: u32 = 10;
/// Number of requests after which full buckets are removed from memory.
const PURGE_EVERY: u32 = 4096;
/// Maximum number of buckets; beyond it, all are reset. A bucket takes about 32 bytes.
const MAX_BUCKETS: usize = 1_000_000;

type Limiter = RateLimiter<u64, HashMapStateStore<u64>, DefaultClock, StateInformationMiddleware>;

/// A rate limiter with one bucket per caller.
#[derive(Debug)]
pub struct KeyedLimiter {
    name: &'static str,
    quota: governor::Quota,
    /// The keys are hashes, so that a long name takes no more memory than a short one.
    limiter: RwLock<Limiter>,
    hasher: RandomState,
    requests: AtomicU32,
}

/// The state of a caller's bucket after a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RateLimitState {
    name: &'static str,
    size: u32,
    refill_s: u64,
    remaining: u32,
    /// Seconds until the bucket is full, or until the next request is accepted if nothing remains.
    pub wait_s: u64,
}

impl KeyedLimiter {
    fn new(name: &'static str, quota: governor::Quota) -> Self {
        Self {
            name,
            quota,
            limiter: RwLock::new(limiter(quota)),
            hasher: RandomState::new(),
            requests: AtomicU32::new(0),
        }
    }

    /// Takes one token from the caller's bucket.
    ///
    /// # Errors
    /// The state of the bucket, if it is empty.
    pub fn check(&self, caller: impl Hash) -> Result<RateLimitState, RateLimitState> {
        if self.requests.fetch_add(1, Ordering::Relaxed) % PURGE_EVERY == PURGE_EVERY - 1 {
            self.purge();
        }
        let key = self.hasher.hash_one(caller);
        let limiter = self.limiter.read().unwrap_or_else(PoisonError::into_inner);
        let size = self.quota.burst_size().get();
        let each = self.quota.replenish_interval();
        let bucket = |remaining: u32, wait: Duration| RateLimitState {
            name: self.name,
            size,
            refill_s: seconds(each * size),
            remaining,
            wait_s: seconds(wait),
        };
        match limiter.check_key(&key) {
            Ok(state) => {
                let remaining = state.remaining_burst_capacity();
                Ok(bucket(remaining, each * (size - remaining)))
            }
            Err(not_until) => {
                let wait = not_until.wait_time_from(limiter.clock().now());
                Err(bucket(0, wait))
            }
        }
    }

    fn purge(&self) {
        let buckets = self.limiter.read().unwrap_or_else(PoisonError::into_inner);
        buckets.retain_recent();
        let are_too_many = buckets.len() > MAX_BUCKETS;
        drop(buckets);
        if are_too_many {
            *self.limiter.write().unwrap_or_else(PoisonError::into_inner) = limiter(self.quota);
        }
    }
}

fn limiter(quota: governor::Quota) -> Limiter {
    RateLimiter::hashmap(quota).with_middleware()
}

/// Whole seconds, at least one.
fn seconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis().div_ceil(1000))
        .unwrap_or(u64::MAX)
        .max(1)
}

impl RateLimitState {
    /// Adds the rate limit headers.
    pub fn add_to(&self, headers: &mut HeaderMap) {
        let Self {
            name,
            size,
            refill_s,
            remaining,
            wait_s,
        } = self;
        let policy = format!("\"{name}\";q={size};w={refill_s}");
        let limit = format!("\"{name}\";r={remaining};t={wait_s}");
        for (name, text) in [(RATE_LIMIT_POLICY, policy), (RATE_LIMIT, limit)] {
            if let Ok(value) = HeaderValue::from_str(&text) {
                headers.insert(name, value);
            }
        }
    }
}

/// All rate limiters; `None` where no limit is configured.
#[derive(Debug)]
pub struct RateLimiters {
    /// Customers, and requests without a valid token.
    pub customers: Option<KeyedLimiter>,
    /// Staff and peer services.
    pub staff: Option<KeyedLimiter>,
    /// Sign-in attempts of a user name from an address.
    pub sign_ins_by_name: Option<KeyedLimiter>,
    /// All sign-in attempts from an address.
    pub sign_ins_by_address: Option<KeyedLimiter>,
}

impl RateLimiters {
    /// Creates the limiters with full buckets.
    pub fn new(limits: &RequestLimits) -> Self {
        let quota = |factor: NonZeroU32| {
            let per_s = limits.rate_per_s?.saturating_mul(factor);
            let burst = limits.rate_burst.saturating_mul(factor);
            Some(governor::Quota::per_second(per_s).allow_burst(burst))
        };
        let larger = NonZeroU32::MIN.saturating_add(LARGER - 1);
        let per_min = limits.sign_ins_per_min;
        let sign_ins = |name, count| KeyedLimiter::new(name, governor::Quota::per_minute(count));
        Self {
            customers: quota(NonZeroU32::MIN).map(|quota| KeyedLimiter::new("default", quota)),
            staff: quota(larger).map(|quota| KeyedLimiter::new("staff", quota)),
            sign_ins_by_name: per_min.map(|count| sign_ins("sign-in", count)),
            sign_ins_by_address: per_min
                .map(|count| sign_ins("sign-in-address", count.saturating_mul(larger))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limiter(per_s: u32, burst: u32) -> KeyedLimiter {
        let count = |value| NonZeroU32::new(value).unwrap();
        let quota = governor::Quota::per_second(count(per_s)).allow_burst(count(burst));
        KeyedLimiter::new("default", quota)
    }

    #[test]
    fn each_caller_has_its_own_rate_limit_bucket() {
        let limiter = limiter(1, 3);
        for remaining in [2, 1, 0] {
            let state = limiter.check("a").unwrap();
            assert_eq!((state.remaining, state.size), (remaining, 3));
            assert_eq!(state.wait_s, u64::from(3 - remaining));
        }
        let rejected = limiter.check("a").unwrap_err();
        assert_eq!((rejected.remaining, rejected.wait_s), (0, 1));
        assert!(limiter.check("b").is_ok());
    }

    #[test]
    fn the_ratelimit_headers_follow_the_ietf_draft() {
        let mut headers = HeaderMap::new();
        let state = limiter(50, 200).check("a").unwrap();
        state.add_to(&mut headers);
        assert_eq!(headers[RATE_LIMIT_POLICY], "\"default\";q=200;w=4");
        assert_eq!(headers[RATE_LIMIT], "\"default\";r=199;t=1");
    }

    #[test]
    fn full_buckets_are_dropped() {
        let limiter = limiter(1_000_000, 1);
        for caller in 0..2 * PURGE_EVERY {
            let _ = limiter.check(caller);
        }
        let count = limiter.limiter.read().unwrap().len();
        assert!(count <= PURGE_EVERY as usize, "{count}");
    }
}
