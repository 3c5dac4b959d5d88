//! Fulfilment: drives every order through `reserve_stock → charge_payment → create_shipment →
//! commit_stock`, or back. The policy is `domain::plan`; here it is executed: a step and its undo
//! in one file each, [`drive`] for one order, [`run`] for all of them.
//!
//! No connection is held while a peer is called, and every write is fenced by the claim's epoch.

use std::sync::Arc;
use std::time::Duration;

use crate::db::Database;
use crate::metrics::Metrics;
use crate::notifications::Notifications;
use crate::peers::Peers;

mod attempt;
mod backoff;
mod charge_payment;
mod commit_stock;
mod create_shipment;
mod decide;
mod draft;
pub mod drive;
mod follow_shipment;
mod held;
mod keys;
mod mend;
mod reserve_stock;
pub mod run;
mod schedule;
mod sweep;

pub use keys::{Keys, may_be_ours};
pub use mend::Surplus;

/// How fulfilment goes about its work.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How long a claim holds without being renewed; longer than the slowest turn.
    pub lease: Duration,
    /// How long the end of a step may stay in memory before it is written; zero writes each at once.
    pub progress_delay: Duration,
    /// The first delay after an unclear answer; it doubles with each further one.
    pub retry_base: Duration,
    /// The longest delay.
    pub retry_cap: Duration,
    /// How often a parcel is asked after while there is news.
    pub follow_interval: Duration,
    /// How long after an order was called off its peers are asked once more.
    pub sweep_after: Duration,
    /// How often due fulfilments are looked for.
    pub poll_interval: Duration,
    /// How many orders are driven at the same time.
    pub max_sagas: usize,
    /// Who carries the parcels.
    pub carrier: String,
}

/// What drives orders. Cheap to clone.
#[derive(Clone)]
pub struct Fulfilments {
    db: Database,
    peers: Arc<Peers>,
    metrics: Arc<Metrics>,
    notifications: Notifications,
    settings: Arc<Settings>,
}

impl Fulfilments {
    /// Puts the parts together.
    pub fn new(
        db: Database,
        peers: Peers,
        metrics: Arc<Metrics>,
        notifications: Notifications,
        settings: Settings,
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
