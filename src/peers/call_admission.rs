//! Admission control: before a call is sent it needs a permit of the bulkhead, a circuit breaker that
//! allows it and, if it is a retry, a share of the retry budget.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tower::retry::budget::{Budget, TpsBudget};

use super::bulkhead::{Bulkhead, BulkheadPermit};
use super::circuit_breaker::CircuitBreaker;
use super::outcome::CallFailure;

/// The window over which the retry budget weighs first calls against retries.
const RETRY_WINDOW: Duration = Duration::from_secs(10);
/// Retries for each first call.
const RETRIES_PER_CALL: f32 = 0.2;
/// Retries per second that are always allowed, so that open sagas finish while no orders arrive.
const MIN_RETRIES_PER_SECOND: u32 = 20;
/// The delay for a retry that exceeds the budget.
const RETRY_BUDGET_DELAY: Duration = Duration::from_secs(1);

/// Limits of calls to one peer: bulkhead and circuit breaker.
#[derive(Clone, Copy, Debug)]
pub struct PeerLimits {
    /// Calls in flight to one peer.
    pub max_concurrent_calls: usize,
    /// Failures in a row that open the circuit breaker.
    pub breaker_failures: u32,
    /// The first cooldown of the circuit breaker; it doubles while probes fail.
    pub breaker_cooldown: Duration,
    /// How long a call waits for a permit of the bulkhead.
    pub queue_timeout: Duration,
}

/// Bulkhead, circuit breaker and retry budget of one peer.
pub(super) struct Admission {
    bulkhead: Bulkhead,
    circuit_breaker: Mutex<CircuitBreaker>,
    /// Bounds retries to a share of first calls, so that retries do not multiply the load of a peer
    /// that is overloaded.
    retry_budget: TpsBudget,
}

impl Admission {
    pub fn new(limits: PeerLimits) -> Self {
        Self {
            bulkhead: Bulkhead::new(limits.max_concurrent_calls, limits.queue_timeout),
            circuit_breaker: Mutex::new(CircuitBreaker::new(
                limits.breaker_failures,
                limits.breaker_cooldown,
            )),
            retry_budget: TpsBudget::new(RETRY_WINDOW, MIN_RETRIES_PER_SECOND, RETRIES_PER_CALL),
        }
    }

    /// Admits a call for as long as the permit lives.
    ///
    /// Fails with a failure that is marked as not sent.
    pub async fn admit(
        &self,
        is_forward: bool,
        is_retry: bool,
    ) -> Result<BulkheadPermit<'_>, CallFailure> {
        let Some(permit) = self.bulkhead.acquire(is_forward).await else {
            return Err(CallFailure::not_sent("too many calls are in flight", None));
        };
        // After the bulkhead, because the only probe must not wait in its queue.
        let mut breaker = self.circuit_breaker();
        let is_probe = breaker.is_open();
        breaker.allow(Instant::now()).map_err(|wait| {
            let why = "the circuit breaker is open after many failures in a row";
            CallFailure::not_sent(why, Some(wait))
        })?;
        drop(breaker);
        if !is_retry {
            self.retry_budget.deposit();
        } else if !is_probe && !self.retry_budget.withdraw() {
            let why = "the retry budget of the peer is used up";
            return Err(CallFailure::not_sent(why, Some(RETRY_BUDGET_DELAY)));
        }
        Ok(permit)
    }

    /// Reports the end of a call to the circuit breaker. Returns whether the breaker is open now.
    pub fn record(&self, succeeded: bool) -> bool {
        let mut breaker = self.circuit_breaker();
        if succeeded {
            breaker.record_success();
        } else {
            breaker.record_failure(Instant::now());
        }
        breaker.is_open()
    }

    fn circuit_breaker(&self) -> MutexGuard<'_, CircuitBreaker> {
        self.circuit_breaker
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admission(max_concurrent_calls: usize) -> Admission {
        Admission::new(PeerLimits {
            max_concurrent_calls,
            breaker_failures: 10,
            breaker_cooldown: Duration::from_secs(5),
            queue_timeout: Duration::ZERO,
        })
    }

    #[tokio::test]
    async fn the_retry_budget_limits_retries_but_not_first_calls() {
        let admission = admission(2);
        let mut retries = 0;
        let refused = loop {
            match admission.admit(true, true).await {
                Ok(_) => retries += 1,
                Err(failure) => break failure,
            }
            assert!(retries < 1000, "no limit");
        };
        assert_eq!(
            (refused.sent, refused.retry_after),
            (false, Some(RETRY_BUDGET_DELAY))
        );
        for _ in 0..100 {
            assert!(admission.admit(true, false).await.is_ok());
        }
        assert!(
            admission.admit(true, true).await.is_ok(),
            "a hundred calls pay for it"
        );
    }

    #[tokio::test]
    async fn a_call_without_a_permit_is_not_sent() {
        let admission = admission(2);
        let _forward = admission.admit(true, false).await.unwrap();
        let refused = admission.admit(true, false).await.err();
        assert!(refused.is_some_and(|failure| !failure.sent));
    }
}
