//! The readiness check, the metrics that are read from the database, and the purge of idempotency keys.

use crate::db::check_migrated;
use crate::db::idempotency::purge;
use crate::db::run;
use crate::db::sagas::{count_open, due_lag};
use crate::domain::saga::Phase;

use super::{Error, Orders};

impl Orders {
    /// Checks that the database is reachable and migrated.
    pub async fn check_database(&self) -> Result<(), Error> {
        Ok(run!(self.db, |conn| check_migrated(conn)).await?)
    }

    /// Refreshes the metrics of the connection pool.
    pub fn measure_pool(&self) {
        let usage = self.db.usage();
        let connections = &self.metrics.pool_connections;
        let set = |state, count| {
            connections
                .with_label_values(&[state])
                .set(i64::try_from(count).unwrap_or(i64::MAX));
        };
        set("idle", usage.idle);
        set("in_use", usage.open.saturating_sub(usage.idle));
        self.metrics
            .pool_waiting
            .set(i64::try_from(usage.waiting).unwrap_or(i64::MAX));
    }

    /// Deletes idempotency keys past their retention.
    pub async fn purge_keys(&self) -> Result<(), Error> {
        loop {
            let older_than = self.settings.keys_kept;
            let purged = run!(self.db, |conn| purge(conn, older_than));
            if purged.await? == 0 {
                return Ok(());
            }
        }
    }

    /// Refreshes the metrics of open sagas.
    pub async fn measure_sagas(&self) -> Result<(), Error> {
        let counts = run!(self.db, |conn| count_open(conn)).await?;
        let lag = run!(self.db, |conn| due_lag(conn)).await?;
        self.metrics.sagas_due_lag.set(lag);
        // Phases without sagas are set to zero: an alert cannot tell a missing series from a healthy one.
        for phase in Phase::OPEN {
            let open = counts.iter().find(|open| open.phase == phase);
            let ages = [
                ("under_1m", open.map(|open| open.under_1m)),
                ("under_15m", open.map(|open| open.under_15m)),
                ("under_1d", open.map(|open| open.under_1d)),
                ("older", open.map(|open| open.older)),
            ];
            for (age, count) in ages {
                let gauge = match phase {
                    Phase::Stuck => self.metrics.sagas_stuck.with_label_values(&[age]),
                    _ => self
                        .metrics
                        .sagas_open
                        .with_label_values(&[phase.as_str(), age]),
                };
                gauge.set(count.unwrap_or(0));
            }
        }
        Ok(())
    }
}
