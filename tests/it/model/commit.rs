//! Committing the result of a step attempt, as `saga::execution` and `db::sagas::commit`
//! do: under the claim's epoch and the order's version, or not at all.

use order_service::domain::saga::plan::{Plan, StepOutcome};

use super::protocol::Protocol;
use super::system::{SagaRow, SystemState, spend};
use super::worker::{Ending, SagaCopy, Stage, Unwritten, Worker};

/// The values to write.
struct Decision {
    plan: Plan,
    /// Whether there are events.
    has_events: bool,
    /// Whether this decides the cancel request.
    decided: bool,
}

fn on_cancel(current: &SagaCopy, protocol: &Protocol) -> Option<Decision> {
    let plan = (protocol.cancelled)(current.plan).filter(|_| current.cancel_requested)?;
    Some(Decision {
        plan,
        has_events: plan.is_undoing(),
        decided: plan.is_undoing(),
    })
}

fn on_attempt(current: &SagaCopy, ending: &Ending) -> Decision {
    let plan = current.plan.after(ending.outcome);
    let compensates = matches!(
        (current.plan, ending.outcome),
        (Plan::Doing { .. } | Plan::Completed, StepOutcome::Refused)
            | (Plan::Recalling { .. }, StepOutcome::Done)
    );
    let stays_completed = matches!(
        (current.plan, ending.outcome),
        (Plan::Recalling { .. }, StepOutcome::Refused)
    );
    let stuck = matches!(plan, Plan::Stuck { .. });
    let arrives = plan != current.plan && plan.is_settled() && plan != Plan::Completed;
    Decision {
        plan,
        has_events: ending.has_events || compensates || stays_completed || arrives,
        decided: compensates || stays_completed || stuck,
    }
}

/// The combined result of several consecutive attempts.
#[derive(Clone, Copy)]
struct PendingWrite {
    after: SagaCopy,
    /// Whether there are events.
    has_events: bool,
    leased: bool,
    due: bool,
    /// Whether the parcel was tracked with nothing in flight, and did not change.
    quiet: bool,
    stays_completed: bool,
    /// Whether the commit may be asynchronous.
    lazy: bool,
    /// Whether the write may be delayed.
    can_wait: bool,
}

impl PendingWrite {
    fn of(written: SagaCopy, ended: &[Ending]) -> Self {
        let nothing = Self {
            after: written,
            has_events: false,
            leased: true,
            due: true,
            quiet: false,
            stays_completed: false,
            lazy: true,
            can_wait: true,
        };
        ended.iter().fold(nothing, |pending, ending| {
            let decision = on_attempt(&pending.after, ending);
            pending.then(&decision, Some(ending))
        })
    }

    fn cancelled(self, protocol: &Protocol) -> Option<Self> {
        let decision = on_cancel(&self.after, protocol)?;
        Some(self.then(&decision, None))
    }

    fn then(self, decision: &Decision, ending: Option<&Ending>) -> Self {
        let before = self.after;
        let outcome = ending.map(|ending| ending.outcome);
        let open = matches!(outcome, Some(StepOutcome::Unclear | StepOutcome::NotSent));
        let (leased, due) = match decision.plan {
            Plan::Stuck { .. } => (false, false),
            Plan::Undone => (false, before.plan != Plan::Undone || open),
            Plan::Completed => (before.cancel_requested && !decision.decided, true),
            _ => (!open, true),
        };
        let lazy =
            outcome == Some(StepOutcome::Done) && !decision.plan.is_settled() && !decision.decided;
        Self {
            after: SagaCopy {
                plan: decision.plan,
                turns: before.turns + 1,
                lapsed: before.lapsed + u8::from(outcome == Some(StepOutcome::Lapsed)),
                cancel_requested: before.cancel_requested && !decision.decided,
                payment: ending.and_then(|ending| ending.payment).or(before.payment),
                parcel: ending.and_then(|ending| ending.parcel).or(before.parcel),
                ..before
            },
            has_events: self.has_events || decision.has_events,
            leased,
            due,
            quiet: ending.is_some_and(|ending| ending.quiet && ending.outcome == StepOutcome::Done),
            stays_completed: decision.plan == Plan::Completed && before.plan == Plan::Completed,
            lazy: self.lazy && lazy,
            can_wait: self.can_wait && lazy && matches!(decision.plan, Plan::Doing { .. }),
        }
    }
}

impl SystemState {
    /// Buffers the result of the attempt, if it may be lost.
    pub(super) fn buffer(&mut self, w: usize) -> Option<()> {
        let Worker::Working {
            current,
            unwritten,
            stage,
        } = &mut self.workers[w]
        else {
            return None;
        };
        let Stage::Ended(ending) = *stage else {
            return None;
        };
        unwritten.ended.push(ending);
        let pending = PendingWrite::of(unwritten.since, &unwritten.ended);
        *current = pending.after;
        *stage = Stage::Ready;
        pending.can_wait.then_some(())
    }

    /// Writes the buffered progress during a call, if the row is unchanged.
    pub(super) fn write_during_call(&mut self, w: usize, protocol: &Protocol) -> Option<()> {
        let Worker::Working {
            current, unwritten, ..
        } = &mut self.workers[w]
        else {
            return None;
        };
        let row = &mut self.row;
        if unwritten.ended.is_empty() || !row.is_as(&unwritten.since, protocol) {
            return None;
        }
        let pending = PendingWrite::of(unwritten.since, &unwritten.ended);
        unwritten.since = row.write(&pending, unwritten.since.epoch);
        unwritten.ended.clear();
        unwritten.has_lost_progress = false;
        *current = unwritten.since;
        Some(())
    }

    /// Performs the write of [`SystemState::write`] or [`SystemState::write_during_call`]. The worker receives no
    /// acknowledgement and keeps its state.
    pub(super) fn write_unacknowledged(&mut self, w: usize, protocol: &Protocol) -> Option<()> {
        spend(&mut self.left.lost_acks)?;
        let Worker::Working {
            unwritten, stage, ..
        } = &self.workers[w]
        else {
            return None;
        };
        let mut ended = unwritten.ended.clone();
        if let Stage::Ended(ending) = stage {
            ended.push(*ending);
        }
        let since = unwritten.since;
        if ended.is_empty() || !self.row.is_as(&since, protocol) {
            return None;
        }
        self.row
            .write(&PendingWrite::of(since, &ended), since.epoch);
        Some(())
    }

    /// Writes; rereads the row if the order has changed, and stops if another worker has claimed
    /// it.
    pub(super) fn write(&mut self, w: usize, protocol: &Protocol) {
        if let Worker::Working {
            unwritten, stage, ..
        } = &mut self.workers[w]
            && let Stage::Ended(ending) = *stage
        {
            unwritten.ended.push(ending);
            *stage = Stage::Ready;
            self.write_progress(w, protocol);
        }
    }

    /// Writes the buffered progress only.
    pub(super) fn write_progress(&mut self, w: usize, protocol: &Protocol) {
        self.write_as(w, protocol, true, Some);
    }

    /// Acts on a cancel request, if it is still there.
    pub(super) fn write_cancel(&mut self, w: usize, protocol: &Protocol) {
        self.write_as(w, protocol, false, |pending| pending.cancelled(protocol));
    }

    fn write_as(
        &mut self,
        w: usize,
        protocol: &Protocol,
        is_progress: bool,
        last: impl Fn(PendingWrite) -> Option<PendingWrite>,
    ) {
        loop {
            let Worker::Working {
                current, unwritten, ..
            } = &mut self.workers[w]
            else {
                return;
            };
            let Unwritten {
                since,
                ended,
                has_lost_progress,
            } = unwritten;
            let Some(pending) = last(PendingWrite::of(*since, ended)) else {
                return;
            };
            let row = &mut self.row;
            if protocol.fences && since.epoch != row.now.epoch {
                self.workers[w] = Worker::Idle;
                return;
            }
            if row.is_as(since, protocol) {
                let written = row.write(&pending, since.epoch);
                self.workers[w] = match pending.leased {
                    true => Worker::working(written),
                    false => Worker::Idle,
                };
                return;
            }
            if !row.leased {
                self.workers[w] = Worker::Idle;
                return;
            }
            match row.now.turns.checked_sub(since.turns) {
                _ if !protocol.counts_turns => {
                    if row.now.plan != since.plan {
                        let plan = row.now.plan.in_doubt();
                        self.workers[w] = Worker::working(SagaCopy { plan, ..row.now });
                        return;
                    }
                }
                Some(0) => {}
                Some(landed) => {
                    ended.drain(..usize::from(landed).min(ended.len()));
                    *has_lost_progress = false;
                }
                None => {
                    ended.clear();
                    *has_lost_progress = protocol.remembers_doubt;
                }
            }
            let plan = match *has_lost_progress {
                true => row.now.plan.in_doubt(),
                false => row.now.plan,
            };
            *since = SagaCopy { plan, ..row.now };
            *current = PendingWrite::of(*since, ended).after;
            if is_progress && ended.is_empty() {
                return;
            }
        }
    }
}

impl SagaRow {
    /// Whether a conditional write on this known state succeeds.
    fn is_as(&self, known: &SagaCopy, protocol: &Protocol) -> bool {
        (known.epoch == self.now.epoch || !protocol.fences)
            && known.version == self.now.version
            && (known.turns == self.now.turns || !protocol.counts_turns)
    }

    /// Applies a write and returns the new state for its holder.
    fn write(&mut self, pending: &PendingWrite, epoch: u8) -> SagaCopy {
        let now = SagaCopy {
            epoch: self.now.epoch,
            version: self.now.version + u8::from(pending.has_events),
            ..pending.after
        };
        self.now = now;
        if !pending.lazy {
            self.flushed = now;
        }
        self.leased = pending.leased;
        self.due = pending.due;
        self.is_tracked = pending.stays_completed && (self.is_tracked || pending.quiet);
        SagaCopy { epoch, ..now }
    }
}
