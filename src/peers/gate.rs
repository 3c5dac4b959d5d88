//! What a call has to pass before it is sent: the breaker, and a bounded number of calls at a time, of
//! which a share is kept for undoing.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

use super::answer::Trouble;
use super::breaker::Breaker;

/// One part of so many is kept free of forward calls.
const SHARE_FOR_UNDOING: usize = 4;

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
            patience: limits.patience,
        }
    }

    /// Waits for a turn. `Err`: nothing is sent now.
    pub async fn enter(&self, is_forward: bool) -> Result<Pass<'_>, Trouble> {
        let turn = async {
            let forward = match is_forward {
                true => Some(self.forward.acquire().await.ok()?),
                false => None,
            };
            Some((self.all.acquire().await.ok()?, forward))
        };
        let Ok(Some((all, forward))) = timeout(self.patience, turn).await else {
            return Err(Trouble::not_sent("too many calls are under way", None));
        };
        // The breaker last: its one probe must not wait in the queue.
        match self.breaker().enter(Instant::now()) {
            Ok(()) => Ok(Pass {
                _all: all,
                _forward: forward,
            }),
            Err(wait) => Err(Trouble::not_sent(
                "the peer is left alone, after many failures in a row",
                Some(wait),
            )),
        }
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
    async fn a_share_is_kept_for_undoing() {
        let gate = Gate::new(Limits {
            max_calls: 4,
            breaker_failures: 10,
            breaker_rest: Duration::from_secs(5),
            patience: Duration::ZERO,
        });
        let mut passes = Vec::new();
        while let Ok(pass) = gate.enter(true).await {
            passes.push(pass);
        }
        assert_eq!(passes.len(), 3);
        let undoing = gate.enter(false).await;
        assert!(undoing.is_ok());
        let refused = gate.enter(false).await.err();
        assert!(refused.is_some_and(|trouble| !trouble.sent));
    }
}
