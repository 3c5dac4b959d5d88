//! The configuration of `reconcile`, a subset of that of `serve`.

use std::time::Duration;

use sqlx::postgres::PgConnectOptions;

use crate::db::pool::PoolSettings;
use crate::{peers, reconciliation, saga};

use super::{
    SettingsReader, database, milliseconds, peer_settings, pool_limits, saga_settings, seconds,
};

/// The least time since the last change of an order that is compared.
const LEAST_GRACE: Duration = Duration::from_secs(600);
/// Reconciliation uses at most this fraction of the concurrent calls to a peer, as a divisor: half of the part
/// that is reserved for compensation and look-ups.
const SHARE: usize = 8;

/// The configuration of `order-service reconcile`.
#[derive(Clone)]
pub struct ReconcileConfig {
    /// The connection to the database.
    pub database: PgConnectOptions,
    /// The limits of the connection pool.
    pub limits: PoolSettings,
    /// The peer clients.
    pub peers: peers::PeerSettings,
    /// The settings of sagas.
    pub saga: saga::SagaSettings,
    /// The settings of reconciliation.
    pub reconciliation: reconciliation::ReconciliationSettings,
}

impl ReconcileConfig {
    /// Reads the configuration of `reconcile`.
    pub fn read(reader: &mut SettingsReader<'_>) -> Option<Self> {
        let database = database(reader);
        let limits = pool_limits(reader);
        let timeout = milliseconds(reader, "PEER_TIMEOUT_MS", 10..=120_000);
        let peers = peer_settings(reader, timeout);
        let lease = seconds(reader, "LEASE_S", 1..=3600);
        let saga = saga_settings(reader, lease);
        let reconciliation = settings(reader, peers.as_ref(), saga.as_ref());
        Some(Self {
            database: database?,
            limits: limits?,
            peers: peers?,
            saga: saga?,
            reconciliation: reconciliation?,
        })
    }
}

/// Reads the settings of reconciliation.
pub(super) fn settings(
    reader: &mut SettingsReader<'_>,
    peers: Option<&peers::PeerSettings>,
    saga: Option<&saga::SagaSettings>,
) -> Option<reconciliation::ReconciliationSettings> {
    let every_h = reader.number("RECONCILE_EVERY_HOURS", 0..=8760);
    let days = reader.number("RECONCILE_DAYS", 1..=3650);
    let (peers, saga) = (peers?, saga?);
    let every = Duration::from_secs(every_h? * 3600);
    Some(reconciliation::ReconciliationSettings {
        interval: (!every.is_zero()).then_some(every),
        look_back: Duration::from_secs(days? * 86_400),
        grace: saga.retry.sweep_after.max(LEAST_GRACE),
        concurrency: (peers.limits.max_concurrent_calls / SHARE).max(1),
        lease: saga.lease,
    })
}
