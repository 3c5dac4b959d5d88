//! A bulkhead for one peer: it bounds the calls in flight, so that a slow peer cannot tie up the whole
//! process, and reserves a share of them for compensation.

use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

/// One permit of this many stays free of forward calls.
const COMPENSATION_SHARE: usize = 4;

/// The bulkhead of one peer.
pub(super) struct Bulkhead {
    all: Semaphore,
    forward: Semaphore,
    queue_timeout: Duration,
}

/// Permits one call in flight until it is dropped.
pub(super) struct BulkheadPermit<'a> {
    _all: SemaphorePermit<'a>,
    _forward: Option<SemaphorePermit<'a>>,
}

impl Bulkhead {
    /// A bulkhead for at least two calls at a time, which queue for at most `queue_timeout`.
    pub fn new(max_concurrent_calls: usize, queue_timeout: Duration) -> Self {
        let all = max_concurrent_calls.max(2);
        let forward = (all - all / COMPENSATION_SHARE).min(all - 1);
        Self {
            all: Semaphore::new(all),
            forward: Semaphore::new(forward),
            queue_timeout,
        }
    }

    /// Waits for a permit; `None` if the queue timeout ends first.
    pub async fn acquire(&self, is_forward: bool) -> Option<BulkheadPermit<'_>> {
        let permit = async {
            let forward = match is_forward {
                true => Some(self.forward.acquire().await.ok()?),
                false => None,
            };
            Some(BulkheadPermit {
                _all: self.all.acquire().await.ok()?,
                _forward: forward,
            })
        };
        timeout(self.queue_timeout, permit).await.ok().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_bulkhead_reserves_permits_for_compensation() {
        let bulkhead = Bulkhead::new(4, Duration::ZERO);
        let mut forward = Vec::new();
        while let Some(permit) = bulkhead.acquire(true).await {
            forward.push(permit);
        }
        assert_eq!(forward.len(), 3);
        let compensation = bulkhead.acquire(false).await;
        assert!(compensation.is_some());
        assert!(bulkhead.acquire(false).await.is_none());
    }
}
