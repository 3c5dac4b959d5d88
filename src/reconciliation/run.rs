//! One run of reconciliation.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use time::OffsetDateTime;

use crate::db;
use crate::db::run;
use crate::db::sagas;

use super::Reconciliation;
use super::compare::SkipReason;
use super::finding::{Finding, FindingKind};
use super::lookup_retry::LookupError;
use super::ownership::Period;

/// What a run compares, and whether it repairs.
#[derive(Clone, Copy, Debug)]
pub struct ReconciliationScope {
    /// The earliest time of orders and records; by default as far back as the settings say.
    pub since: Option<OffsetDateTime>,
    /// The latest time of orders and records; by default now.
    pub until: Option<OffsetDateTime>,
    /// The minimum age of records and of orders' last changes; by default that of the settings.
    pub grace: Option<Duration>,
    /// Whether to repair findings.
    pub repair: bool,
}

impl ReconciliationScope {
    /// The default period, without repairs.
    pub const DEFAULT: Self = Self {
        since: None,
        until: None,
        grace: None,
        repair: false,
    };
}

/// Whether a peer lists all of its records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PeerListing {
    /// The list was read.
    Listed {
        /// The records of the list.
        records: u64,
        /// The records that name no order by its id, and cannot be compared.
        unattributed: u64,
    },
    /// The peer has no list, by its own words, so that orphaned records stay unnoticed.
    CannotBeListed(String),
}

/// The result of a run.
#[derive(Clone, Debug, Default)]
pub struct ReconciliationSummary {
    /// Compared orders.
    pub compared: u64,
    /// Skipped orders whose saga runs, or changed within the grace period.
    pub under_way: u64,
    /// Skipped orders whose saga is stuck until staff decide.
    pub stuck: u64,
    /// Skipped orders that staff have settled.
    pub settled_by_staff: u64,
    /// Skipped orders without a saga, because they were imported.
    pub imported: u64,
    /// Findings by kind.
    pub findings: BTreeMap<FindingKind, u64>,
    /// Repaired findings.
    pub repaired: u64,
    /// The list of each peer.
    pub listings: BTreeMap<&'static str, PeerListing>,
    /// Peers that were unavailable, with the reason. Not all of their records were compared.
    pub unavailable: BTreeMap<&'static str, String>,
}

impl ReconciliationSummary {
    /// The number of findings.
    pub fn found(&self) -> u64 {
        self.findings.values().sum()
    }

    /// Whether every peer was available.
    pub fn is_complete(&self) -> bool {
        self.unavailable.is_empty()
    }

    pub(super) fn skip(&mut self, reason: SkipReason) {
        match reason {
            SkipReason::Imported => self.imported += 1,
            SkipReason::UnderWay => self.under_way += 1,
            SkipReason::Stuck => self.stuck += 1,
            SkipReason::SettledByStaff => self.settled_by_staff += 1,
        }
    }
}

/// Receives the findings one by one, because there may be many.
pub type FindingSink<'a> = &'a mut (dyn FnMut(&Finding) + Send);

/// The state of a run.
pub(super) struct ReconciliationRun {
    pub reconciliation: Reconciliation,
    pub period: Period,
    pub repair: bool,
    summary: Mutex<ReconciliationSummary>,
    /// The findings reported so far: both phases see the same record, and pages may overlap.
    reported: Mutex<HashSet<(FindingKind, i64, Option<String>)>>,
}

impl Reconciliation {
    /// Compares orders with ledgers, repairs findings if `scope` says so, and reports them to `sink`.
    #[tracing::instrument(name = "reconciliation.run", skip_all)]
    pub async fn run(
        &self,
        scope: ReconciliationScope,
        sink: FindingSink<'_>,
    ) -> Result<ReconciliationSummary, db::Error> {
        let now = run!(self.db, |conn| sagas::clock(conn)).await?;
        let grace = scope.grace.unwrap_or(self.settings.grace);
        let latest = now - grace;
        let run = Arc::new(ReconciliationRun {
            reconciliation: self.clone(),
            period: Period {
                since: scope.since.unwrap_or(now - self.settings.look_back),
                until: scope.until.map_or(latest, |until| until.min(latest)),
            },
            repair: scope.repair,
            summary: Mutex::default(),
            reported: Mutex::default(),
        });
        run.compare_orders(sink).await?;
        run.compare_ledgers(now, sink).await?;
        let summary = run.summary().clone();
        Ok(summary)
    }
}

impl ReconciliationRun {
    pub fn summary(&self) -> MutexGuard<'_, ReconciliationSummary> {
        self.summary.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the run skips a peer, because it was unavailable before.
    pub fn is_unavailable(&self, peer: &'static str) -> bool {
        self.summary().unavailable.contains_key(peer)
    }

    pub fn mark_unavailable(&self, peer: &'static str, error: LookupError) {
        let (LookupError::Unsupported(reason) | LookupError::Unavailable(reason)) = error;
        self.summary().unavailable.entry(peer).or_insert(reason);
    }

    /// Counts and reports a finding once.
    pub fn report(&self, finding: &Finding, sink: FindingSink<'_>) {
        let identity = (finding.kind, finding.order_id.0, finding.record_id.clone());
        let mut reported = self.reported.lock().unwrap_or_else(PoisonError::into_inner);
        if !reported.insert(identity) {
            return;
        }
        let mut summary = self.summary();
        *summary.findings.entry(finding.kind).or_default() += 1;
        summary.repaired += u64::from(finding.is_repaired());
        drop(summary);
        sink(finding);
    }
}
