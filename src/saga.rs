//! Executes sagas: [`worker`] claims them, `execution` runs one of them step by step, `steps` has each
//! step beside its compensation. The decisions are those of `domain::saga`.
//!
//! The worker holds no connection while it calls a peer, and the claim's epoch fences every write.

use std::sync::Arc;
use std::time::Duration;

use crate::db::ConnectionPool;
use crate::domain::saga::RetryPolicy;
use crate::metrics::Metrics;
use crate::notifications::Notifications;
use crate::peers::Peers;

mod backoff;
mod execution;
mod flush;
mod in_flight;
mod keys;
mod repair;
mod steps;
pub mod worker;

pub use keys::{CallKeys, may_be_ours};
pub use repair::SurplusRecords;

/// The settings of the saga executor.
#[derive(Clone, Debug)]
pub struct SagaSettings {
    /// How long a claim holds without being renewed; longer than the slowest step.
    pub lease: Duration,
    /// How long the result of a step may stay in memory before it is committed (write-behind); zero commits
    /// each at once.
    pub progress_delay: Duration,
    /// When a saga runs again.
    pub retry: RetryPolicy,
    /// How often the worker polls for due sagas.
    pub poll_interval: Duration,
    /// How many sagas one process executes at a time.
    pub max_sagas: usize,
    /// The carrier named to Shipping.
    pub carrier: String,
}

/// Executes sagas. Cheap to clone.
#[derive(Clone)]
pub struct SagaExecutor {
    db: ConnectionPool,
    peers: Arc<Peers>,
    metrics: Arc<Metrics>,
    notifications: Notifications,
    settings: Arc<SagaSettings>,
}

impl SagaExecutor {
    /// An executor over its parts.
    pub fn new(
        db: ConnectionPool,
        peers: Peers,
        metrics: Arc<Metrics>,
        notifications: Notifications,
        settings: SagaSettings,
    ) -> Self {
        Self {
            db,
            peers: Arc::new(peers),
            metrics,
            notifications,
            settings: Arc::new(settings),
        }
    }
}
