//! One reconciliation from beginning to end.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use time::OffsetDateTime;

use crate::db;
use crate::db::run;
use crate::db::sagas;

use super::Reconciliation;
use super::finding::{Finding, Kind};
use super::judge::{Skipped, Window};
use super::patience::Unanswered;

/// What is compared, and what is done about what is found.
#[derive(Clone, Copy, Debug)]
pub struct Scope {
    /// Orders accepted, and records made, from then on.
    pub since: Option<OffsetDateTime>,
    /// And before then.
    pub until: Option<OffsetDateTime>,
    /// How long an order must have rested, and a record have stood; else as it is set.
    pub grace: Option<Duration>,
    /// Whether to mend what can be mended.
    pub repair: bool,
}

impl Scope {
    /// As far back as it is set, up to now; nothing is mended.
    pub const USUAL: Self = Self {
        since: None,
        until: None,
        grace: None,
        repair: false,
    };
}

/// Whether a peer let all of its records be compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listing {
    /// So many were looked at, of which so many name no order by its number.
    Listed {
        /// All of them.
        records: u64,
        /// Those that could not be compared.
        unattributed: u64,
    },
    /// It does not list them, in its own words: records of orders that we do not have are not found.
    CannotBeListed(String),
}

/// What a run comes to.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// Orders that were compared.
    pub compared: u64,
    /// Orders that were not, because something is or was still to be done about them.
    pub under_way: u64,
    /// Orders that were not, because a person has to look already.
    pub with_person: u64,
    /// Orders that were not, because a person has settled them.
    pub settled_by_hand: u64,
    /// Orders that were not, because they were taken over from elsewhere.
    pub imported: u64,
    /// Findings by kind.
    pub findings: BTreeMap<Kind, u64>,
    /// How many of them are mended.
    pub repaired: u64,
    /// What the peers list altogether.
    pub listings: BTreeMap<&'static str, Listing>,
    /// Peers that gave no answer, and why: of these, not everything was compared.
    pub away: BTreeMap<&'static str, String>,
}

impl Summary {
    /// How many findings there are.
    pub fn found(&self) -> u64 {
        self.findings.values().sum()
    }

    /// Whether everything was compared.
    pub fn is_complete(&self) -> bool {
        self.away.is_empty()
    }

    pub(super) fn skip(&mut self, why: Skipped) {
        match why {
            Skipped::Imported => self.imported += 1,
            Skipped::UnderWay => self.under_way += 1,
            Skipped::WithPerson => self.with_person += 1,
            Skipped::ByHand => self.settled_by_hand += 1,
        }
    }
}

/// Who hears of findings, one by one: there may be many.
pub type Sink<'a> = &'a mut (dyn FnMut(&Finding) + Send);

/// A run under way.
pub(super) struct Run {
    pub reconciliation: Reconciliation,
    pub window: Window,
    pub repair: bool,
    summary: Mutex<Summary>,
    /// What was told already: both passes see the same record, and pages may overlap.
    told: Mutex<HashSet<(Kind, i64, Option<String>)>>,
}

impl Reconciliation {
    /// Compares, tells `sink` what it finds, and mends it if so asked.
    #[tracing::instrument(name = "reconciliation.run", skip_all)]
    pub async fn run(&self, scope: Scope, sink: Sink<'_>) -> Result<Summary, db::Error> {
        let now = run!(self.db, |conn| sagas::clock(conn)).await?;
        let grace = scope.grace.unwrap_or(self.settings.grace);
        let settled = now - grace;
        let run = Arc::new(Run {
            reconciliation: self.clone(),
            window: Window {
                since: scope.since.unwrap_or(now - self.settings.look_back),
                until: scope.until.map_or(settled, |until| until.min(settled)),
            },
            repair: scope.repair,
            summary: Mutex::default(),
            told: Mutex::default(),
        });
        run.compare_orders(sink).await?;
        run.compare_ledgers(now, sink).await?;
        let summary = run.summary().clone();
        Ok(summary)
    }
}

impl Run {
    pub fn summary(&self) -> MutexGuard<'_, Summary> {
        self.summary.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a peer has given no answer, and is to be left alone.
    pub fn is_away(&self, peer: &'static str) -> bool {
        self.summary().away.contains_key(peer)
    }

    pub fn note_away(&self, peer: &'static str, why: Unanswered) {
        let (Unanswered::No(reason) | Unanswered::Away(reason)) = why;
        self.summary().away.entry(peer).or_insert(reason);
    }

    /// Counts a finding and tells it, once.
    pub fn tell(&self, finding: &Finding, sink: Sink<'_>) {
        let name = (finding.kind, finding.order_id.0, finding.record_id.clone());
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if !told.insert(name) {
            return;
        }
        let mut summary = self.summary();
        *summary.findings.entry(finding.kind).or_default() += 1;
        summary.repaired += u64::from(finding.is_repaired());
        drop(summary);
        sink(finding);
    }
}
