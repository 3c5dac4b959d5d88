//! Whether orders can be taken, and what an operator watches.

use crate::db::check_migrated;
use crate::db::fulfilments::{count_open, due_lag};
use crate::db::idempotency::purge;
use crate::db::run;

use super::{Error, Orders};

impl Orders {
    /// Asks the database whether it is there, with the tables that this program was made for.
    pub async fn check_database(&self) -> Result<(), Error> {
        Ok(run!(self.db, |conn| check_migrated(conn)).await?)
    }

    /// Refreshes the metrics that are read off the pool.
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

    /// Forgets idempotency keys whose time is over.
    pub async fn purge_keys(&self) -> Result<(), Error> {
        loop {
            let older_than = self.settings.keys_kept;
            let purged = run!(self.db, |conn| purge(conn, older_than));
            if purged.await? == 0 {
                return Ok(());
            }
        }
    }

    /// Refreshes the metrics that are read off the tables.
    pub async fn measure_fulfilments(&self) -> Result<(), Error> {
        let counts = run!(self.db, |conn| count_open(conn)).await?;
        let lag = run!(self.db, |conn| due_lag(conn)).await?;
        self.metrics.sagas_due_lag.set(lag);
        // Those of which there are none are zero: an alert cannot tell absent from well.
        for phase in ["doing", "recalling", "undoing", "stuck"] {
            let open = counts.iter().find(|open| open.phase == phase);
            let ages = [
                ("under_1m", open.map(|open| open.under_1m)),
                ("under_15m", open.map(|open| open.under_15m)),
                ("under_1d", open.map(|open| open.under_1d)),
                ("older", open.map(|open| open.older)),
            ];
            for (age, count) in ages {
                let gauge = match phase {
                    "stuck" => self.metrics.sagas_stuck.with_label_values(&[age]),
                    _ => self.metrics.sagas_open.with_label_values(&[phase, age]),
                };
                gauge.set(count.unwrap_or(0));
            }
        }
        Ok(())
    }
}
