//! The worker: executes sagas that this process has placed at once, and claims those that are due by
//! polling. Any replica may run it; claims keep the replicas apart.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Span;

use crate::db::{self, run, sagas};
use crate::domain::saga::Claim;
use crate::notifications::WakeUp;

use super::SagaExecutor;

impl SagaExecutor {
    /// Runs until `stop`, then releases every lease. From `drain` on, which comes before `stop` or with it,
    /// the worker claims no due sagas: other replicas claim them.
    pub async fn run(
        &self,
        mut wake_ups: mpsc::Receiver<WakeUp>,
        drain: CancellationToken,
        stop: CancellationToken,
    ) {
        let slots = Arc::new(Semaphore::new(self.settings.max_sagas));
        let tasks = TaskTracker::new();
        let mut poll_at = Instant::now();
        while let Some(slot) = free_slot(&slots, &stop).await {
            tokio::select! {
                () = stop.cancelled() => break,
                Some(wake_up) = wake_ups.recv() => {
                    let (this, stop) = (self.clone(), stop.clone());
                    tasks.spawn(async move {
                        this.on_wake_up(wake_up, &stop).await;
                        drop(slot);
                    });
                }
                () = tokio::time::sleep_until(poll_at), if !drain.is_cancelled() => {
                    drop(slot);
                    if drain.is_cancelled() {
                        continue;
                    }
                    let full = self.poll(&slots, &tasks, &stop).await;
                    poll_at = Instant::now();
                    if !full {
                        poll_at += self.settings.poll_interval.mul_f64(rand::random_range(0.75..=1.25));
                    }
                }
            }
        }
        // Queued sagas are leased to this process: `execute` releases their leases at once.
        wake_ups.close();
        while let Some(wake_up) = wake_ups.recv().await {
            self.on_wake_up(wake_up, &stop).await;
        }
        tasks.close();
        tasks.wait().await;
    }

    /// Claims due sagas and starts to execute them. `true`: more may be due.
    async fn poll(
        &self,
        slots: &Arc<Semaphore>,
        tasks: &TaskTracker,
        stop: &CancellationToken,
    ) -> bool {
        let limit = slots.available_permits();
        let leased_at = Instant::now();
        let claims = match self.claim_due(limit).await {
            Ok(claims) => claims,
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "no sagas claimed");
                return false;
            }
        };
        let full = claims.len() == limit;
        for claim in claims {
            let Ok(slot) = slots.clone().acquire_owned().await else {
                return false;
            };
            let (this, stop) = (self.clone(), stop.clone());
            tasks.spawn(async move {
                this.execute_claim(claim, leased_at, Span::none(), &stop)
                    .await;
                drop(slot);
            });
        }
        full
    }

    /// Claims up to `limit` sagas that are due.
    pub async fn claim_due(&self, limit: usize) -> Result<Vec<Claim>, db::Error> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let lease = self.settings.lease;
        run!(self.db, |conn| sagas::claim_due(conn, limit, lease)).await
    }

    async fn on_wake_up(&self, wake_up: WakeUp, stop: &CancellationToken) {
        match wake_up {
            WakeUp::Placed(saga, leased_at, cause) => {
                self.execute(*saga, leased_at, cause, stop).await;
            }
            WakeUp::Due(order_id, cause) if !stop.is_cancelled() => {
                let leased_at = Instant::now();
                let lease = self.settings.lease;
                let claimed = run!(self.db, |conn| sagas::claim_one(conn, order_id, lease));
                match claimed.await {
                    Ok(Some(claim)) => self.execute_claim(claim, leased_at, cause, stop).await,
                    // The current lease holder finds the change itself.
                    Ok(None) => {}
                    Err(error) => {
                        tracing::warn!(
                            error = &error as &dyn std::error::Error,
                            "saga not claimed after a wake-up"
                        );
                    }
                }
            }
            WakeUp::Due(..) => {}
        }
    }
}

async fn free_slot(
    slots: &Arc<Semaphore>,
    stop: &CancellationToken,
) -> Option<OwnedSemaphorePermit> {
    tokio::select! {
        () = stop.cancelled() => None,
        slot = slots.clone().acquire_owned() => slot.ok(),
    }
}
