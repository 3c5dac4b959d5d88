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
use crate::domain::event::OrderEvent;
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
    /// Whether the row has forgotten what was done, and does not tell that it has.
    has_lost_marks: bool,
    /// When its lease began, or somewhat earlier.
    pub leased_at: Instant,
    /// When it was last read or written, or somewhat earlier.
    pub looked_at: Instant,
}

/// What was written.
pub(super) struct Noted {
    /// The fulfilment as it now is in the database.
    row: Fulfilment,
    next: Next,
    /// When it was begun to be written.
    at: Instant,
}

/// What became of a draft.
enum Recorded {
    Yes(Box<Noted>),
    Changed,
    Superseded,
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
            has_lost_marks: false,
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

    /// Takes over what was written of all that has ended.
    pub fn take(&mut self, settings: &Settings, noted: Noted) {
        self.ended.clear();
        self.has_lost_marks = false;
        self.look(settings, noted.row, noted.at);
    }

    /// Takes over what was read. What it shows to have been written without an answer is done with. A row
    /// that has less than was written before is one whose marks were lost with a database: all that was
    /// done since then is in doubt, until that is written.
    fn reread(&mut self, settings: &Settings, row: Fulfilment, at: Instant) {
        match usize::try_from(row.turns - self.written.turns) {
            Ok(0) => {}
            Ok(landed) => {
                self.ended.drain(..landed.min(self.ended.len()));
                self.has_lost_marks = false;
            }
            Err(_) => {
                self.ended.clear();
                self.has_lost_marks = true;
            }
        }
        self.look(settings, self.doubted(row), at);
    }

    /// A row as it is to be taken.
    fn doubted(&self, row: Fulfilment) -> Fulfilment {
        let plan = match self.has_lost_marks {
            true => row.plan.taken_over(),
            false => row.plan,
        };
        Fulfilment { plan, ..row }
    }

    fn look(&mut self, settings: &Settings, row: Fulfilment, at: Instant) {
        self.looked_at = at;
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
            match self.record(&held.written, draft).await {
                Ok(Recorded::Yes(noted)) => {
                    let next = noted.next;
                    held.take(&self.settings, *noted);
                    return Ok(match next {
                        Next::Now => Turn::Again,
                        Next::After(_) | Next::Never => Turn::Ended,
                    });
                }
                Ok(Recorded::Superseded) => return Ok(Turn::Lost),
                Ok(Recorded::Changed) => {}
                Err(error) if error.is_transient() => {
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
            let at = Instant::now();
            match self.load(held.now.claim).await {
                Ok(Some(fresh)) => held.reread(&self.settings, fresh, at),
                Ok(None) => return Ok(Turn::Lost),
                Err(error) if error.is_transient() => {}
                Err(error) => return Err(error),
            }
            if why == Why::Progress && held.ended.is_empty() {
                return Ok(Turn::Again);
            }
        }
    }

    /// Writes what was kept in memory while a call takes its time. If that does not succeed, the next
    /// write sees why.
    pub(super) async fn write_meanwhile(&self, held: &Held) -> Option<Noted> {
        let mut written = held.written.clone();
        loop {
            let draft = Draft::of(&self.settings, &written, &held.ended);
            match self.record(&written, draft).await {
                Ok(Recorded::Yes(noted)) => return Some(*noted),
                Ok(Recorded::Changed) => {}
                Ok(Recorded::Superseded) | Err(_) => return None,
            }
            let fresh = self.load(held.now.claim).await.ok()??;
            if fresh.turns != written.turns {
                return None;
            }
            written = held.doubted(fresh);
        }
    }

    /// Writes a draft, and tells who wants to know of it.
    async fn record(&self, written: &Fulfilment, draft: Draft) -> Result<Recorded, db::Error> {
        let at = Instant::now();
        let (direction, step) = draft.turn;
        let mark = draft.mark();
        failpoints::pass(&["fulfilment", direction, step, "before_write"]);
        let recorded = run!(self.db, |conn| fulfilments::record(conn, written, &mark)).await?;
        failpoints::pass(&["fulfilment", direction, step, "after_write"]);
        let version = match recorded {
            Written::Yes(version) => version,
            Written::Changed => return Ok(Recorded::Changed),
            Written::Superseded => return Ok(Recorded::Superseded),
        };
        for fact in &draft.facts {
            self.count_fact(fact);
        }
        let mut row = draft.after;
        row.order.version = version;
        if !draft.facts.is_empty() {
            self.notifications.notify_changed(row.order.order_id);
        }
        let next = draft.next;
        Ok(Recorded::Yes(Box::new(Noted { row, next, at })))
    }

    fn count_fact(&self, fact: &OrderEvent) {
        match fact {
            OrderEvent::PaymentDeclined { .. } => self.metrics.payments_failed.inc(),
            OrderEvent::StockRefused { .. } => self.metrics.stockouts.inc(),
            OrderEvent::InterventionRequired { step, reason } => {
                tracing::error!(%step, reason, "the order is stuck until a person decides");
            }
            OrderEvent::CompensationStarted { reason } => {
                self.metrics
                    .orders_cancelled
                    .with_label_values(&[reason.as_str()])
                    .inc();
            }
            _ => {}
        }
    }
}
