//! The modelled system of one order: its row, two workers, requests in flight, and the peers.

use order_service::domain::saga::plan::{Doubt, Plan, StepOutcome};

use super::action::Action;
use super::peers::{Call, Peers};
use super::protocol::Protocol;
use super::request::attempt;
use super::worker::{Ending, SagaCopy, Stage, Worker};

/// The row in `fulfilments`, with the relevant columns of `orders`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SagaRow {
    pub now: SagaCopy,
    /// The state a failover may return to: without the last asynchronous commits.
    pub flushed: SagaCopy,
    pub leased: bool,
    /// Whether the row is due at some time.
    pub due: bool,
    /// Whether the parcel was tracked with nothing in flight since the order was confirmed.
    pub is_tracked: bool,
}

/// The remaining faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FaultBudget {
    /// Attempts without a response.
    pub unclear: u8,
    /// Requests that arrive twice.
    pub doubled: u8,
    /// Lease holders that die, or lose their lease without knowing.
    pub losses: u8,
    /// Cancel requests.
    pub cancels: u8,
    /// Reservations that expire.
    pub lapses: u8,
    /// Writes whose acknowledgement is lost.
    pub lost_acks: u8,
    /// Failovers that lose asynchronous commits.
    pub forgets: u8,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SystemState {
    pub row: SagaRow,
    pub workers: [Worker; 2],
    /// Abandoned requests in flight.
    pub late: Vec<Call>,
    pub peers: Peers,
    pub left: FaultBudget,
    /// The number of charges sent, if each has its own key.
    pub keys: u8,
}

/// The normal form of the turn count: only the difference to a stale copy matters.
const TURNS: u8 = 20;
/// The limit of abandoned requests in flight.
const LATE: usize = 2;

impl SystemState {
    pub fn start(left: FaultBudget) -> Self {
        let now = SagaCopy {
            epoch: 1,
            version: 1,
            plan: Plan::START,
            lapsed: 0,
            turns: 0,
            cancel_requested: false,
            payment: None,
            parcel: None,
        };
        Self {
            row: SagaRow {
                now,
                flushed: now,
                leased: true,
                due: true,
                is_tracked: false,
            },
            workers: [Worker::Idle, Worker::working(now)],
            late: Vec::new(),
            peers: Peers::default(),
            left,
            keys: 0,
        }
    }

    /// The state after an action, or `None` if the action is impossible.
    pub fn next(mut self, action: Action, protocol: &Protocol) -> Option<Self> {
        match action {
            Action::Claim { w } => self.claim(w, protocol)?,
            Action::GiveBack { w } => self.release_lease(w, protocol),
            Action::Begin { w } => self.begin(w, protocol)?,
            Action::NotSent { w } => self.end(w, Ending::new(StepOutcome::NotSent)),
            Action::Answer { w, willing } => self.answer(w, willing)?,
            Action::AnswerTwice { w, willing } => {
                spend(&mut self.left.doubled)?;
                let call = self.under_way(w)?;
                self.delay(call)?;
                self.answer(w, willing)?;
            }
            Action::Unclear { w } => {
                spend(&mut self.left.unclear)?;
                let call = self.under_way(w)?;
                self.delay(call)?;
                self.no_answer(w, StepOutcome::Unclear);
            }
            Action::Write { w } => self.write(w, protocol),
            Action::Buffer { w } => self.buffer(w)?,
            Action::WriteDuringCall { w } => self.write_during_call(w, protocol)?,
            Action::WriteUnacknowledged { w } => self.write_unacknowledged(w, protocol)?,
            Action::Crash { w } => self.crash(w)?,
            Action::Arrive { late, willing } => {
                let call = self.late.remove(late);
                self.peers.execute(call, willing)?;
            }
            Action::Vanish { late } => {
                self.late.remove(late);
            }
            Action::RequestCancel => self.request_cancel()?,
            Action::Forget => {
                spend(&mut self.left.forgets)?;
                self.row.now = self.row.flushed;
            }
            Action::Lapse { reservation } => {
                self.peers.lapse(reservation)?;
                spend(&mut self.left.lapses)?;
            }
        }
        self.renumber();
        Some(self)
    }

    /// The holder dies. A superseded holder counts as dead: it continues until it writes, and
    /// stops.
    fn crash(&mut self, w: usize) -> Option<()> {
        let Worker::Working { current, .. } = &self.workers[w] else {
            return None;
        };
        if current.epoch != self.row.now.epoch || !self.row.leased {
            return None;
        }
        spend(&mut self.left.losses)?;
        if let Some(call) = self.under_way(w) {
            self.delay(call)?;
        }
        self.workers[w] = Worker::Idle;
        Some(())
    }

    fn request_cancel(&mut self) -> Option<()> {
        let now = &mut self.row.now;
        let takes = matches!(now.plan, Plan::Doing { .. } | Plan::Completed);
        if now.cancel_requested || !takes || !self.row.due {
            return None;
        }
        spend(&mut self.left.cancels)?;
        now.cancel_requested = true;
        now.version += 1;
        self.row.flushed = self.row.now;
        Some(())
    }

    fn claim(&mut self, w: usize, protocol: &Protocol) -> Option<()> {
        let leased_by_another = self.row.leased && self.workers.iter().any(|worker| {
            matches!(worker, Worker::Working { current, .. } if current.epoch == self.row.now.epoch)
        });
        // The late-arrival check runs when nothing can be in flight any more.
        if !self.row.due || self.row.now.plan == Plan::Undone && !self.is_quiet(w) {
            return None;
        }
        if leased_by_another {
            spend(&mut self.left.losses)?;
        }
        let now = &mut self.row.now;
        if self.row.leased {
            now.plan = now.plan.in_doubt();
        }
        if protocol.raises_epochs {
            now.epoch += 1;
        }
        let now = *now;
        self.row.leased = true;
        self.row.flushed = now;
        self.workers[w] = Worker::working(now);
        Some(())
    }

    /// Buffered progress is written first.
    fn release_lease(&mut self, w: usize, protocol: &Protocol) {
        if matches!(&self.workers[w], Worker::Working { unwritten, .. } if !unwritten.ended.is_empty())
        {
            self.write_progress(w, protocol);
        }
        let Worker::Working { current, .. } = std::mem::replace(&mut self.workers[w], Worker::Idle)
        else {
            return;
        };
        let row = &mut self.row;
        if row.leased && (current.epoch == row.now.epoch || !protocol.fences) {
            row.leased = false;
            let has_lost_progress = protocol.counts_turns && row.now.turns != current.turns;
            if has_lost_progress
                || matches!(
                    current.plan,
                    Plan::Doing {
                        doubt: Doubt::StepAndLater,
                        ..
                    }
                )
            {
                row.now.plan = row.now.plan.in_doubt();
            }
            row.flushed = row.now;
        }
    }

    fn begin(&mut self, w: usize, protocol: &Protocol) -> Option<()> {
        let quiet = self.is_quiet(w);
        let key = self.keys;
        let Worker::Working { current, stage, .. } = &mut self.workers[w] else {
            return None;
        };
        if current.cancel_requested && (protocol.cancelled)(current.plan).is_some() {
            self.write_cancel(w, protocol);
            return Some(());
        }
        *stage = attempt(current, &self.peers, protocol, key, quiet);
        let charges =
            matches!(stage, Stage::Calling { calls, .. } if matches!(calls[0], Call::Charge(_)));
        if charges && !protocol.keeps_keys {
            self.keys = (self.keys + 1).min(2);
        }
        Some(())
    }

    fn answer(&mut self, w: usize, willing: bool) -> Option<()> {
        let Worker::Working {
            current,
            unwritten: _,
            stage:
                Stage::Calling {
                    calls,
                    then,
                    ending,
                },
        } = &mut self.workers[w]
        else {
            return None;
        };
        let call = calls[0];
        self.peers.execute(call, willing)?;
        if willing {
            let (lapsed, then, mut ending) = (current.lapsed, *then, *ending);
            let calls = calls.split_off(1);
            if call == Call::Create {
                ending.parcel = self.peers.newest();
            }
            let next = Stage::proceed(calls, then, ending, &self.peers, lapsed);
            if let Worker::Working { stage, .. } = &mut self.workers[w] {
                *stage = next;
            }
        } else {
            let outcome = match call {
                Call::Commit(0) => StepOutcome::Lapsed,
                _ => StepOutcome::Refused,
            };
            self.no_answer(w, outcome);
        }
        Some(())
    }

    /// An attempt ends early.
    fn no_answer(&mut self, w: usize, outcome: StepOutcome) {
        let Worker::Working {
            current,
            stage: Stage::Calling { ending, .. },
            ..
        } = &self.workers[w]
        else {
            return;
        };
        let ending = match current.plan {
            // Updates of the order's own parcel do not wait for a surplus one.
            Plan::Completed => Ending {
                quiet: false,
                ..*ending
            },
            _ => Ending {
                has_events: outcome != StepOutcome::Unclear,
                ..Ending::new(outcome)
            },
        };
        self.end(w, ending);
    }

    fn end(&mut self, w: usize, ending: Ending) {
        if let Worker::Working { stage, .. } = &mut self.workers[w] {
            *stage = Stage::Ended(ending);
        }
    }

    fn under_way(&self, w: usize) -> Option<Call> {
        match &self.workers[w] {
            Worker::Working {
                stage: Stage::Calling { calls, .. },
                ..
            } => calls.first().copied(),
            _ => None,
        }
    }

    fn delay(&mut self, call: Call) -> Option<()> {
        let room = self.late.len() < LATE;
        self.late.push(call);
        self.late.sort_unstable();
        room.then_some(())
    }

    /// Whether nothing is in flight, nor can be, except by this worker.
    pub fn is_quiet(&self, w: usize) -> bool {
        let idle = |(other, worker): (usize, &Worker)| other == w || *worker == Worker::Idle;
        self.late.is_empty() && self.workers.iter().enumerate().all(idle)
    }

    /// Whether nothing is in flight and no worker is active.
    pub fn is_settled(&self) -> bool {
        self.late.is_empty() && !self.row.leased && self.workers == [Worker::Idle, Worker::Idle]
    }

    /// Normalizes counters, which are only compared with those of the row, and the order of the
    /// workers.
    fn renumber(&mut self) {
        if self.left.forgets == 0 {
            self.row.flushed = self.row.now;
        }
        let row = self.row.now;
        for worker in &mut self.workers {
            if let Worker::Working {
                current, unwritten, ..
            } = worker
            {
                // A superseded worker writes nothing more, so its count does not matter.
                let turns = match unwritten.since.epoch == row.epoch {
                    true => TURNS + unwritten.since.turns - row.turns,
                    false => TURNS,
                };
                for known in [&mut *current, &mut unwritten.since] {
                    known.epoch = (known.epoch == row.epoch).into();
                    known.version = (known.version == row.version).into();
                }
                unwritten.since.turns = turns;
                let kept = u8::try_from(unwritten.ended.len()).unwrap();
                current.turns = unwritten.since.turns + kept;
            }
        }
        let flushed = &mut self.row.flushed;
        flushed.turns = TURNS + flushed.turns - row.turns;
        flushed.version = (flushed.version == row.version).into();
        flushed.epoch = 1;
        self.row.now.turns = TURNS;
        self.row.now.epoch = 1;
        self.row.now.version = 1;
        self.workers.sort_by_key(|worker| match worker {
            Worker::Idle => 0,
            Worker::Working { current, .. } => 1 + current.epoch,
        });
    }
}

pub fn spend(left: &mut u8) -> Option<()> {
    *left = left.checked_sub(1)?;
    Some(())
}
