//! What a call has to pass before it is sent: a bounded number of calls at a time, of which a share is
//! kept for undoing; the breaker; and a budget for repeats, so that a peer that struggles does not get
//! several times the calls that it has to answer.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

use tower::retry::budget::{Budget, TpsBudget};

use super::answer::CallFailure;
use super::breaker::Breaker;

/// One part of so many is kept free of forward calls.
const SHARE_FOR_UNDOING: usize = 4;

/// Over how much time calls and repeats are weighed against each other.
const BUDGET_WINDOW: Duration = Duration::from_secs(10);
/// Repeats for each call that is none.
const REPEATS_PER_CALL: f32 = 0.2;
/// Repeats in a second whatever the calls are, so that what is open comes to its end when no orders come in.
const REPEATS_PER_SECOND: u32 = 20;
/// How long a call waits for which the budget has nothing left.
const BUDGET_WAIT: Duration = Duration::from_secs(1);

/// How many calls are made at a time, and how long a peer that fails is left alone.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Calls at a time to one peer.
    pub max_calls: usize,
    /// After how many failures in a row a peer is left alone.
    pub breaker_failures: u32,
    /// How long it is left alone at first; longer when it goes on to fail.
    pub breaker_rest: Duration,
    /// How long a call waits for its turn.
    pub patience: Duration,
}

/// One peer's gate.
pub(super) struct Gate {
    breaker: Mutex<Breaker>,
    all: Semaphore,
    forward: Semaphore,
    repeats: TpsBudget,
    patience: Duration,
}

/// A call's place among those that are under way.
pub(super) struct Pass<'a> {
    _all: SemaphorePermit<'a>,
    _forward: Option<SemaphorePermit<'a>>,
}

impl Gate {
    pub fn new(limits: Limits) -> Self {
        let all = limits.max_calls.max(2);
        let forward = (all - all / SHARE_FOR_UNDOING).min(all - 1);
        Self {
            breaker: Mutex::new(Breaker::new(limits.breaker_failures, limits.breaker_rest)),
            all: Semaphore::new(all),
            forward: Semaphore::new(forward),
            repeats: TpsBudget::new(BUDGET_WINDOW, REPEATS_PER_SECOND, REPEATS_PER_CALL),
            patience: limits.patience,
        }
    }

    /// Waits for a turn. `Err`: nothing is sent now.
    pub async fn enter(&self, is_forward: bool, is_retry: bool) -> Result<Pass<'_>, CallFailure> {
        let turn = async {
            let forward = match is_forward {
                true => Some(self.forward.acquire().await.ok()?),
                false => None,
            };
            Some((self.all.acquire().await.ok()?, forward))
        };
        let Ok(Some((all, forward))) = timeout(self.patience, turn).await else {
            return Err(CallFailure::not_sent("too many calls are under way", None));
        };
        // The breaker last: its one probe must not wait in the queue. Nor does it need a budget.
        let mut breaker = self.breaker();
        let probes = breaker.is_open();
        breaker.enter(Instant::now()).map_err(|wait| {
            let why = "the peer is left alone, after many failures in a row";
            CallFailure::not_sent(why, Some(wait))
        })?;
        drop(breaker);
        if !is_retry {
            self.repeats.deposit();
        } else if !probes && !self.repeats.withdraw() {
            let why = "the peer gets many repeats already";
            return Err(CallFailure::not_sent(why, Some(BUDGET_WAIT)));
        }
        Ok(Pass {
            _all: all,
            _forward: forward,
        })
    }

    /// Notes how a call ended; returns whether the peer is left alone now.
    pub fn leave(&self, answered: bool) -> bool {
        let mut breaker = self.breaker();
        if answered {
            breaker.succeeded();
        } else {
            breaker.failed(Instant::now());
        }
        breaker.is_open()
    }

    fn breaker(&self) -> MutexGuard<'_, Breaker> {
        self.breaker.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_retry_budget_limits_repeats_but_not_first_calls() {
        let gate = Gate::new(Limits {
            max_calls: 2,
            breaker_failures: 10,
            breaker_rest: Duration::from_secs(5),
            patience: Duration::ZERO,
        });
        let mut repeats = 0;
        let refused = loop {
            match gate.enter(true, true).await {
                Ok(_) => repeats += 1,
                Err(trouble) => break trouble,
            }
            assert!(repeats < 1000, "no limit");
        };
        assert_eq!(
            (refused.sent, refused.retry_after),
            (false, Some(BUDGET_WAIT))
        );
        for _ in 0..100 {
            assert!(gate.enter(true, false).await.is_ok());
        }
        assert!(
            gate.enter(true, true).await.is_ok(),
            "a hundred calls pay for it"
        );
    }

    #[tokio::test]
    async fn the_bulkhead_reserves_permits_for_undoing() {
        let gate = Gate::new(Limits {
            max_calls: 4,
            breaker_failures: 10,
            breaker_rest: Duration::from_secs(5),
            patience: Duration::ZERO,
        });
        let mut passes = Vec::new();
        while let Ok(pass) = gate.enter(true, false).await {
            passes.push(pass);
        }
        assert_eq!(passes.len(), 3);
        let undoing = gate.enter(false, false).await;
        assert!(undoing.is_ok());
        let refused = gate.enter(false, false).await.err();
        assert!(refused.is_some_and(|trouble| !trouble.sent));
    }
}
