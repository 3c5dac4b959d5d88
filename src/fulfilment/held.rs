//! A fulfilment in the hands of this process: what was done with it, and how that is written down.
//!
//! Steps that are done one soon after the other are written together: whoever takes over repeats what was
//! not written as it repeats what it finds in doubt. What may not be repeated is written at once, and
//! so is everything once the last look at the row is [`Settings::progress_delay`] ago: a wish to cancel
//! is met, and a customer who watches is told, as soon as if each step were written.

use std::time::Duration;

use tokio::time::Instant;

use crate::db::fulfilments::{self, Fulfilment, Next, Written};
use crate::db::{self, run};
use crate::domain::event::Fact;
use crate::failpoints;

use super::attempt::Attempt;
use super::backoff::delay;
use super::draft::Draft;
use super::drive::Turn;
use super::{Fulfilments, Settings};

/// How many times a write is tried again while the database is away, before the lease decides.
const WRITE_ATTEMPTS: i32 = 6;

/// A fulfilment in the hands of this process.
pub(super) struct Held {
    /// As it is by now.
    pub now: Fulfilment,
    /// As it was last read or written.
    written: Fulfilment,
    /// What has ended since then.
    pub ended: Vec<Attempt>,
    /// When its lease began, or somewhat earlier.
    pub leased_at: Instant,
    /// When it was last read or written, or somewhat earlier.
    pub looked_at: Instant,
}

/// Why a fulfilment is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// Something was done.
    Progress,
    /// It is to be called off.
    Wish,
}

impl Held {
    /// One that was just claimed, under a lease that began no earlier than that.
    pub fn new(fulfilment: Fulfilment, leased_at: Instant) -> Self {
        Self {
            now: fulfilment.clone(),
            written: fulfilment,
            ended: Vec::new(),
            leased_at,
            looked_at: leased_at,
        }
    }

    /// What is to be written.
    pub fn draft(&self, settings: &Settings) -> Draft {
        Draft::of(settings, &self.written, &self.ended)
    }

    /// Whether the last look at the row is less than so long ago.
    pub fn knows_the_row(&self, delay: Duration) -> bool {
        self.looked_at.elapsed() < delay
    }

    /// Takes over what is in the database, which is what `ended` goes on from.
    fn look(&mut self, settings: &Settings, row: Fulfilment) {
        self.looked_at = Instant::now();
        self.written = row;
        self.now = self.draft(settings).after;
    }
}

impl Fulfilments {
    /// Writes what has come of a fulfilment. What has changed in the meantime is read, and decided upon,
    /// again.
    pub(super) async fn write(&self, held: &mut Held, why: Why) -> Result<Turn, db::Error> {
        let mut failures = 0;
        loop {
            let draft = held.draft(&self.settings);
            let draft = match why {
                Why::Progress => draft,
                Why::Wish => match draft.cancelled(&self.settings) {
                    Some(draft) => draft,
                    None => return Ok(Turn::Again),
                },
            };
            match self.record(&held.written, &draft).await {
                Ok(Written::Yes(version)) => return Ok(self.written(held, draft, version)),
                Ok(Written::Superseded) => return Ok(Turn::Lost),
                Ok(Written::Changed) => {}
                Err(error) if error.passes() => {
                    failures += 1;
                    if failures > WRITE_ATTEMPTS {
                        return Err(error);
                    }
                    let Settings {
                        retry_base,
                        retry_cap,
                        ..
                    } = *self.settings;
                    tokio::time::sleep(delay(retry_base, retry_cap, failures, None)).await;
                }
                Err(error) => return Err(error),
            }
            // An unknown commit is resolved by reading, never by guessing.
            let fresh = match self.load(held.now.claim).await {
                Ok(Some(fresh)) => fresh,
                Ok(None) => return Ok(Turn::Lost),
                Err(error) if error.passes() => continue,
                Err(error) => return Err(error),
            };
            let before = &held.written;
            let same_turn = fresh.plan == before.plan && fresh.attempts == before.attempts;
            if same_turn {
                held.look(&self.settings, fresh);
            } else {
                held.ended.clear();
                let plan = fresh.plan.taken_over();
                held.look(&self.settings, Fulfilment { plan, ..fresh });
                return Ok(Turn::Again);
            }
        }
    }

    /// Writes what was kept in memory while a call takes its time. If that does not succeed, the next
    /// write sees why.
    pub(super) async fn write_meanwhile(&self, held: &Held) -> Option<(Draft, i32)> {
        let draft = held.draft(&self.settings);
        match self.record(&held.written, &draft).await {
            Ok(Written::Yes(version)) => Some((draft, version)),
            Ok(Written::Changed | Written::Superseded) | Err(_) => None,
        }
    }

    async fn record(&self, written: &Fulfilment, draft: &Draft) -> Result<Written, db::Error> {
        let (direction, step) = draft.turn;
        let mark = draft.mark();
        failpoints::pass(&["fulfilment", direction, step, "before_write"]);
        let written = run!(self.db, |conn| fulfilments::record(conn, written, &mark)).await?;
        failpoints::pass(&["fulfilment", direction, step, "after_write"]);
        Ok(written)
    }

    /// Takes over into memory what now stands in the database.
    pub(super) fn written(&self, held: &mut Held, draft: Draft, version: i32) -> Turn {
        for fact in &draft.facts {
            self.count_fact(fact);
        }
        let mut after = draft.after;
        after.order.version = version;
        if !draft.facts.is_empty() {
            self.signals.changed(after.order.order_id);
        }
        held.ended.clear();
        held.look(&self.settings, after);
        match draft.next {
            Next::Now => Turn::Again,
            Next::After(_) | Next::Never => Turn::Ended,
        }
    }

    fn count_fact(&self, fact: &Fact) {
        match fact {
            Fact::PaymentDeclined { .. } => self.metrics.payments_failed.inc(),
            Fact::StockRefused { .. } => self.metrics.stockouts.inc(),
            Fact::PersonNeeded { step, reason } => {
                tracing::error!(%step, reason, "the order is stuck until a person decides");
            }
            Fact::CallingOff { reason } => {
                self.metrics
                    .orders_cancelled
                    .with_label_values(&[reason.as_str()])
                    .inc();
            }
            _ => {}
        }
    }
}
