//! How often one caller may ask: a bucket for each, which empties with every request and fills again at a
//! steady rate (GCRA, by `governor`). Callers are known by their token; without one that is accepted, by
//! their address. Signing in has buckets of its own.
//!
//! Answers tell where the caller stands by the fields of draft-ietf-httpapi-ratelimit-headers-10:
//! `RateLimit-Policy: "default";q=200;w=4` is a bucket of 200 that fills in 4 seconds, `RateLimit:
//! "default";r=198;t=1` what is left of it, and in how many seconds it is full again, or, when nothing is left,
//! until there is something.

use std::hash::{BuildHasher as _, Hash, RandomState};
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use governor::clock::{Clock as _, DefaultClock};
use governor::middleware::StateInformationMiddleware;
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};

use crate::auth::Rejection;
use crate::domain::principal::{Principal, Role};
use crate::http::Shared;
use crate::http::problem::{Kind, Problem};

use super::{Limits, client};

/// What is left of the caller's bucket.
pub const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
/// How large it is, and in how many seconds it fills.
pub const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// How much larger the buckets of staff and of peer services are, and those of all names of an address.
const LARGER: u32 = 10;
/// After how many requests full buckets are forgotten, which are as good as none.
const SWEEP_EVERY: u32 = 4096;
/// How many buckets there may be besides; beyond that all are forgotten. One takes about 32 bytes.
const MAX_BUCKETS: usize = 1_000_000;

/// What callers are told.
const TOO_OFTEN: &str =
    "you ask more often than you may; the RateLimit header tells how often that is";

type Limiter = RateLimiter<u64, HashMapStateStore<u64>, DefaultClock, StateInformationMiddleware>;

/// Buckets of one size, by caller.
#[derive(Debug)]
struct Buckets {
    name: &'static str,
    quota: Quota,
    /// Keys are digests: a long name takes no more memory than a short one.
    limiter: RwLock<Limiter>,
    hasher: RandomState,
    requests: AtomicU32,
}

/// Where a caller stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    name: &'static str,
    size: u32,
    fills_in_s: u64,
    left: u32,
    wait_s: u64,
}

impl Buckets {
    fn new(name: &'static str, quota: Quota) -> Self {
        Self {
            name,
            quota,
            limiter: RwLock::new(limiter(quota)),
            hasher: RandomState::new(),
            requests: AtomicU32::new(0),
        }
    }

    /// Takes one from the caller's bucket; tells where that leaves it, also if there was none.
    fn take(&self, caller: impl Hash) -> Result<Standing, Standing> {
        if self.requests.fetch_add(1, Ordering::Relaxed) % SWEEP_EVERY == SWEEP_EVERY - 1 {
            self.sweep();
        }
        let key = self.hasher.hash_one(caller);
        let limiter = self.limiter.read().unwrap_or_else(PoisonError::into_inner);
        let size = self.quota.burst_size().get();
        let each = self.quota.replenish_interval();
        let standing = |left: u32, wait: Duration| Standing {
            name: self.name,
            size,
            fills_in_s: seconds(each * size),
            left,
            wait_s: seconds(wait),
        };
        match limiter.check_key(&key) {
            Ok(state) => {
                let left = state.remaining_burst_capacity();
                Ok(standing(left, each * (size - left)))
            }
            Err(not_until) => {
                let wait = not_until.wait_time_from(limiter.clock().now());
                Err(standing(0, wait))
            }
        }
    }

    fn sweep(&self) {
        let buckets = self.limiter.read().unwrap_or_else(PoisonError::into_inner);
        buckets.retain_recent();
        let are_too_many = buckets.len() > MAX_BUCKETS;
        drop(buckets);
        if are_too_many {
            *self.limiter.write().unwrap_or_else(PoisonError::into_inner) = limiter(self.quota);
        }
    }
}

fn limiter(quota: Quota) -> Limiter {
    RateLimiter::hashmap(quota).with_middleware()
}

/// Whole seconds, at least one.
fn seconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis().div_ceil(1000))
        .unwrap_or(u64::MAX)
        .max(1)
}

impl Standing {
    /// Tells the client.
    fn mark(&self, headers: &mut HeaderMap) {
        let Self {
            name,
            size,
            fills_in_s,
            left,
            wait_s,
        } = self;
        let policy = format!("\"{name}\";q={size};w={fills_in_s}");
        let limit = format!("\"{name}\";r={left};t={wait_s}");
        for (name, text) in [(RATE_LIMIT_POLICY, policy), (RATE_LIMIT, limit)] {
            if let Ok(value) = HeaderValue::from_str(&text) {
                headers.insert(name, value);
            }
        }
    }

    fn refusal(&self, shared: &Shared, detail: &'static str) -> Response {
        shared.metrics.request_refused(Kind::RateLimited.code());
        let wait_s = u32::try_from(self.wait_s).unwrap_or(u32::MAX);
        let problem = Problem::new(Kind::RateLimited, detail).retry_after(wait_s);
        let mut response = problem.into_response();
        self.mark(response.headers_mut());
        response
    }
}

/// All buckets.
#[derive(Debug)]
pub struct Rates {
    clients: Option<Buckets>,
    colleagues: Option<Buckets>,
    names: Option<Buckets>,
    doors: Option<Buckets>,
}

impl Rates {
    /// All full.
    pub fn new(limits: &Limits) -> Self {
        let quota = |factor: NonZeroU32| {
            let per_s = limits.rate_per_s?.saturating_mul(factor);
            let burst = limits.rate_burst.saturating_mul(factor);
            Some(Quota::per_second(per_s).allow_burst(burst))
        };
        let larger = NonZeroU32::MIN.saturating_add(LARGER - 1);
        let per_min = limits.sign_ins_per_min;
        Self {
            clients: quota(NonZeroU32::MIN).map(|quota| Buckets::new("default", quota)),
            colleagues: quota(larger).map(|quota| Buckets::new("staff", quota)),
            names: per_min.map(|count| Buckets::new("sign-in", Quota::per_minute(count))),
            doors: per_min.map(|count| {
                let quota = Quota::per_minute(count.saturating_mul(larger));
                Buckets::new("sign-in-address", quota)
            }),
        }
    }
}

/// Answers a caller whose token is accepted, unless it asks too often.
pub async fn of_principal(
    shared: &Shared,
    principal: &Principal,
    answer: impl Future<Output = Response>,
) -> Response {
    let rates = &shared.edge.rates;
    let buckets = match principal.role {
        Role::Customer => &rates.clients,
        Role::Staff | Role::Service => &rates.colleagues,
    };
    let caller = (
        principal.role.as_str(),
        principal.actor().as_str().to_owned(),
    );
    within(shared, buckets.as_ref(), caller, answer).await
}

/// Answers a caller who is not known, unless too much comes from its address.
pub async fn of_address(
    shared: &Shared,
    address: IpAddr,
    answer: impl Future<Output = Response>,
) -> Response {
    let buckets = shared.edge.rates.clients.as_ref();
    within(shared, buckets, client::network(address), answer).await
}

/// Answers a caller whose token is not accepted: as one who is not known. That nothing can be verified at
/// the moment is not the caller's fault.
pub async fn rejected(shared: &Shared, address: IpAddr, rejection: Rejection) -> Response {
    let response = Problem::from(rejection).into_response();
    match rejection {
        Rejection::NoKeys => response,
        _ => of_address(shared, address, async { response }).await,
    }
}

async fn within(
    shared: &Shared,
    buckets: Option<&Buckets>,
    caller: impl Hash,
    answer: impl Future<Output = Response>,
) -> Response {
    let Some(buckets) = buckets else {
        return answer.await;
    };
    match buckets.take(caller) {
        Ok(standing) => {
            let mut response = answer.await;
            standing.mark(response.headers_mut());
            response
        }
        Err(standing) => standing.refusal(shared, TOO_OFTEN),
    }
}

/// Goes by the address: the layer of what needs no token.
pub async fn by_address(State(shared): State<Shared>, request: Request, next: Next) -> Response {
    let address = shared.client_of(request.extensions(), request.headers());
    of_address(&shared, address, next.run(request)).await
}

/// Whether somebody may try to sign in under this name: else the refusal.
pub fn sign_in(shared: &Shared, address: IpAddr, name: &str) -> Result<(), Box<Response>> {
    let rates = &shared.edge.rates;
    let network = client::network(address);
    let name = name.trim().to_lowercase();
    let door = rates.doors.as_ref().map(|doors| doors.take(network));
    let name = rates
        .names
        .as_ref()
        .map(|names| names.take((network, name)));
    for standing in [door, name].into_iter().flatten() {
        standing.map_err(|standing| {
            Box::new(standing.refusal(
                shared,
                "there were too many attempts to sign in; please wait a minute",
            ))
        })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn buckets(per_s: u32, burst: u32) -> Buckets {
        let number = |value| NonZeroU32::new(value).unwrap();
        let quota = Quota::per_second(number(per_s)).allow_burst(number(burst));
        Buckets::new("default", quota)
    }

    #[test]
    fn each_caller_has_its_own_rate_limit_bucket() {
        let buckets = buckets(1, 3);
        for left in [2, 1, 0] {
            let standing = buckets.take("a").unwrap();
            assert_eq!((standing.left, standing.size), (left, 3));
            assert_eq!(standing.wait_s, u64::from(3 - left));
        }
        let refused = buckets.take("a").unwrap_err();
        assert_eq!((refused.left, refused.wait_s), (0, 1));
        assert!(buckets.take("b").is_ok());
    }

    #[test]
    fn the_ratelimit_headers_follow_the_ietf_draft() {
        let mut headers = HeaderMap::new();
        let standing = buckets(50, 200).take("a").unwrap();
        standing.mark(&mut headers);
        assert_eq!(headers[RATE_LIMIT_POLICY], "\"default\";q=200;w=4");
        assert_eq!(headers[RATE_LIMIT], "\"default\";r=199;t=1");
    }

    #[test]
    fn full_buckets_are_dropped() {
        let buckets = buckets(1_000_000, 1);
        for caller in 0..2 * SWEEP_EVERY {
            let _ = buckets.take(caller);
        }
        let count = buckets.limiter.read().unwrap().len();
        assert!(count <= SWEEP_EVERY as usize, "{count}");
    }
}
