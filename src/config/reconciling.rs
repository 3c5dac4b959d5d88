//! What reconciling needs: all of it is part of what serving needs.

use std::time::Duration;

use sqlx::postgres::PgConnectOptions;

use crate::db::pool::Limits;
use crate::{peers, reconciliation, saga};

use super::{
    Reader, database, fulfilment_settings, milliseconds, peer_settings, pool_limits, seconds,
};

/// The least time that an order must have rested.
const LEAST_GRACE: Duration = Duration::from_secs(600);
/// Of the calls that may be made to a peer at a time, reconciliation makes one part of so many at
/// most: half of what is kept for undoing and looking.
const SHARE: usize = 8;

/// What `order-service reconcile` needs.
#[derive(Clone)]
pub struct Reconciling {
    /// Where the database is.
    pub database: PgConnectOptions,
    /// How its pool is sized.
    pub limits: Limits,
    /// Where the peers are.
    pub peers: peers::PeerSettings,
    /// How fulfilment works.
    pub fulfilment: saga::SagaSettings,
    /// How orders are compared with the peers' ledgers.
    pub reconciliation: reconciliation::ReconciliationSettings,
}

impl Reconciling {
    /// Reads all of it.
    pub fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let database = database(reader);
        let limits = pool_limits(reader);
        let timeout = milliseconds(reader, "PEER_TIMEOUT_MS", 10..=120_000);
        let peers = peer_settings(reader, timeout);
        let lease = seconds(reader, "LEASE_S", 1..=3600);
        let fulfilment = fulfilment_settings(reader, lease);
        let reconciliation = settings(reader, peers.as_ref(), fulfilment.as_ref());
        Some(Self {
            database: database?,
            limits: limits?,
            peers: peers?,
            fulfilment: fulfilment?,
            reconciliation: reconciliation?,
        })
    }
}

/// Reads how orders are compared.
pub(super) fn settings(
    reader: &mut Reader<'_>,
    peers: Option<&peers::PeerSettings>,
    fulfilment: Option<&saga::SagaSettings>,
) -> Option<reconciliation::ReconciliationSettings> {
    let every_h = reader.number("RECONCILE_EVERY_HOURS", 0..=8760);
    let days = reader.number("RECONCILE_DAYS", 1..=3650);
    let (peers, fulfilment) = (peers?, fulfilment?);
    let every = Duration::from_secs(every_h? * 3600);
    Some(reconciliation::ReconciliationSettings {
        interval: (!every.is_zero()).then_some(every),
        look_back: Duration::from_secs(days? * 86_400),
        grace: fulfilment.retry.sweep_after.max(LEAST_GRACE),
        concurrency: (peers.limits.max_concurrent_calls / SHARE).max(1),
        lease: fulfilment.lease,
    })
}
