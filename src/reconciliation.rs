//! Reconciliation compares our orders with the peers' ledgers, reports each discrepancy as a finding,
//! and repairs what can be repaired safely.
//!
//! A run has two phases. `orders` looks up each order of a period at the peers. `ledgers` reads the
//! peers' whole lists, which finds records that belong to no order. `compare` is pure and derives the
//! findings; `repair` acts on them. [`periodic`] schedules runs on one of the replicas.

use std::sync::Arc;
use std::time::Duration;

use crate::db::ConnectionPool;
use crate::metrics::Metrics;
use crate::peers::Peers;
use crate::saga::SagaExecutor;

mod compare;
pub mod finding;
mod ledgers;
mod lookup_retry;
mod orders;
mod ownership;
pub mod periodic;
mod repair;
pub mod run;

pub use finding::{Finding, FindingKind, RepairOutcome};
pub use run::{PeerListing, ReconciliationScope, ReconciliationSummary};

/// The settings of reconciliation.
#[derive(Clone, Debug)]
pub struct ReconciliationSettings {
    /// The interval between scheduled runs; `None` schedules none.
    pub interval: Option<Duration>,
    /// How far back a run looks by default.
    pub look_back: Duration,
    /// The minimum age of a record, and of an order's last change, to be compared.
    pub grace: Duration,
    /// How many orders are compared at the same time.
    pub concurrency: usize,
    /// The lease of a saga under repair.
    pub lease: Duration,
}

/// Compares orders with ledgers. Cheap to clone.
#[derive(Clone)]
pub struct Reconciliation {
    db: ConnectionPool,
    peers: Peers,
    sagas: SagaExecutor,
    metrics: Arc<Metrics>,
    settings: Arc<ReconciliationSettings>,
}

impl Reconciliation {
    /// Builds it from its parts. Pass the peer clients of the saga worker, so that both share bulkheads,
    /// circuit breakers and retry budgets.
    pub fn new(
        db: ConnectionPool,
        peers: Peers,
        sagas: SagaExecutor,
        metrics: Arc<Metrics>,
        settings: ReconciliationSettings,
    ) -> Self {
        for kind in FindingKind::ALL {
            let name = kind.as_str();
            metrics.reconciliation_findings.with_label_values(&[name]);
        }
        Self {
            db,
            peers,
            sagas,
            metrics,
            settings: Arc::new(settings),
        }
    }

    /// The settings that it was built with.
    pub fn settings(&self) -> &ReconciliationSettings {
        &self.settings
    }
}
