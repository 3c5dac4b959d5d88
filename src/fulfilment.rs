//! Fulfilment: drives every order through `reserve_stock → charge_payment → create_shipment →
//! commit_stock`, or back. The policy is `domain::plan`; here it is executed: a step and its undo
//! in one file each, [`drive`] for one order, [`run`] for all of them.
//!
//! No connection is held while a peer is called, and every write is fenced by the claim's epoch.

use std::sync::Arc;
use std::time::Duration;

use time::OffsetDateTime;
use uuid::Uuid;

use crate::db::Database;
use crate::db::fulfilments::Fulfilment;
use crate::domain::plan::Plan;
use crate::metrics::Metrics;
use crate::peers::{Peers, Tag};
use crate::signals::Signals;

mod attempt;
mod backoff;
mod charge_payment;
mod commit_stock;
mod create_shipment;
mod decide;
pub mod drive;
mod follow_shipment;
mod reserve_stock;
pub mod run;
mod schedule;
mod sweep;

/// How fulfilment goes about its work.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How long a claim holds without being renewed; longer than the slowest turn.
    pub lease: Duration,
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
    signals: Signals,
    settings: Arc<Settings>,
}

impl Fulfilments {
    /// Puts the parts together.
    pub fn new(
        db: Database,
        peers: Peers,
        metrics: Arc<Metrics>,
        signals: Signals,
        settings: Settings,
    ) -> Self {
        Self {
            db,
            peers: Arc::new(peers),
            metrics,
            signals,
            settings: Arc::new(settings),
        }
    }
}

/// The keys of an order's calls. They derive from its random identity and from what is asked, never
/// from the attempt: the same question is always asked with the same key.
struct Keys {
    identity: Uuid,
    /// What Inventory knows the reservation by.
    reservation_id: String,
    /// Whether they were used before, and it led nowhere.
    is_repeat: bool,
}

impl Keys {
    fn of(fulfilment: &Fulfilment) -> Self {
        Self::of_reservation(fulfilment, fulfilment.lapsed)
    }

    /// With the number of the reservation that was made after so many had lapsed.
    fn of_reservation(fulfilment: &Fulfilment, lapsed: i16) -> Self {
        let identity = fulfilment.identity;
        let reservation_id = match lapsed {
            0 => identity.to_string(),
            lapsed => format!("{identity}-{lapsed}"),
        };
        Self {
            identity,
            reservation_id,
            // A parcel that is followed is asked after anew each time.
            is_repeat: fulfilment.attempts > 0 && fulfilment.plan != Plan::Completed,
        }
    }

    /// The key for one operation on the reservation.
    fn reservation_key(&self, operation: &str) -> String {
        format!("{}-{operation}", self.reservation_id)
    }

    /// The key for one operation, such as `charge_payment`.
    fn key(&self, operation: &str) -> String {
        format!("{}-{operation}", self.identity)
    }

    /// A call's key and what ties it to the other calls of the same order.
    fn tag<'a>(&'a self, key: &'a str) -> Tag<'a> {
        Tag {
            key,
            trace_id: self.identity,
            request_id: &self.reservation_id,
            is_repeat: self.is_repeat,
        }
    }
}

/// By how much a peer's clock may be behind the database's.
const SKEW: time::Duration = time::Duration::minutes(10);

/// Whether a peer's record may be of this order, and not of one that had its number in an earlier
/// life of the database: it was made under this order's key, if it says so, and not before the order.
fn may_be_ours(
    fulfilment: &Fulfilment,
    our_key: &str,
    key: Option<&str>,
    created_at: Option<OffsetDateTime>,
) -> bool {
    key.is_none_or(|key| key == our_key)
        && created_at.is_none_or(|made| made >= fulfilment.order.created_at - SKEW)
}
