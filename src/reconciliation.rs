//! Reconciliation: compares our orders with the peers' ledgers, reports what does not agree, and mends
//! what can be mended safely.
//!
//! Two passes: `orders` asks the peers for each order of a period; `ledgers` reads what the peers
//! list altogether, which finds what has no order. What a comparison means is decided in `judge`,
//! a pure function; what is done about it in `repair`. [`daily`] does it all now and then, on one of
//! the replicas.

use std::sync::Arc;
use std::time::Duration;

use crate::db::Database;
use crate::metrics::Metrics;
use crate::peers::Peers;
use crate::saga::SagaExecutor;

pub mod daily;
pub mod finding;
mod judge;
mod ledgers;
mod orders;
mod patience;
mod repair;
pub mod run;

pub use finding::{Finding, Kind, Outcome};
pub use run::{Listing, Scope, Summary};

/// How reconciliation goes about its work.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How often it is done by itself; `None`: never.
    pub every: Option<Duration>,
    /// How far it looks back unless it is told.
    pub look_back: Duration,
    /// How long an order must have rested, and a record have stood, to be compared.
    pub grace: Duration,
    /// How many orders are compared at the same time.
    pub at_a_time: usize,
    /// How long a fulfilment is held that is being mended.
    pub lease: Duration,
}

/// What compares. Cheap to clone.
#[derive(Clone)]
pub struct Reconciliation {
    db: Database,
    peers: Peers,
    fulfilments: SagaExecutor,
    metrics: Arc<Metrics>,
    settings: Arc<Settings>,
}

impl Reconciliation {
    /// Puts the parts together. The peers should be those of fulfilment, so that both go through the
    /// same gates.
    pub fn new(
        db: Database,
        peers: Peers,
        fulfilments: SagaExecutor,
        metrics: Arc<Metrics>,
        settings: Settings,
    ) -> Self {
        for kind in Kind::ALL {
            let name = kind.as_str();
            metrics.reconciliation_findings.with_label_values(&[name]);
        }
        Self {
            db,
            peers,
            fulfilments,
            metrics,
            settings: Arc::new(settings),
        }
    }

    /// How it goes about its work.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }
}
