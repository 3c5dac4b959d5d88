//! Writing down how a turn ended, as `fulfilment::drive` and `db::fulfilments::record` do: under the
//! claim's epoch and the order's version, or not at all.

use order_service::domain::plan::{Outcome, Plan};

use super::protocol::Protocol;
use super::worker::{Ending, Fulfilment, Stage, Worker};
use super::world::World;

/// What is to be written.
struct Decision {
    plan: Plan,
    /// Whether there are events.
    facts: bool,
    /// Whether the wish to cancel is decided by this.
    decided: bool,
}

fn on_cancel(held: &Fulfilment, protocol: &Protocol) -> Option<Decision> {
    let plan = (protocol.cancelled)(held.plan).filter(|_| held.wish)?;
    Some(Decision {
        plan,
        facts: plan.is_undoing(),
        decided: plan.is_undoing(),
    })
}

fn on_attempt(held: &Fulfilment, ending: &Ending) -> Decision {
    let plan = held.plan.after(ending.outcome);
    let calls_off = matches!(
        (held.plan, ending.outcome),
        (Plan::Doing { .. } | Plan::Completed, Outcome::Refused)
            | (Plan::Recalling { .. }, Outcome::Done)
    );
    let stands = matches!(
        (held.plan, ending.outcome),
        (Plan::Recalling { .. }, Outcome::Refused)
    );
    let stuck = matches!(plan, Plan::Stuck { .. });
    let arrives = plan != held.plan && plan.is_at_rest() && plan != Plan::Completed;
    Decision {
        plan,
        facts: ending.facts || calls_off || stands || arrives,
        decided: calls_off || stands || stuck,
    }
}

impl World {
    /// Writes, reads again where the order has changed, stops where somebody else has claimed it.
    pub(super) fn write(&mut self, w: usize, protocol: &Protocol) {
        loop {
            let Worker::Working { held, stage } = self.workers[w].clone() else {
                return;
            };
            let ending = match stage {
                Stage::Ended(ending) => Some(ending),
                _ => None,
            };
            let decision = match &ending {
                Some(ending) => Some(on_attempt(&held, ending)),
                None => on_cancel(&held, protocol),
            };
            let Some(decision) = decision else { return };
            let now = self.row.now;
            if protocol.fences && held.epoch != now.epoch {
                self.workers[w] = Worker::Idle;
                return;
            }
            if held.version == now.version {
                self.written(w, &held, &decision, ending.as_ref());
                return;
            }
            if !self.row.leased {
                self.workers[w] = Worker::Idle;
                return;
            }
            let same_turn = now.plan == held.plan;
            let (plan, stage) = match same_turn {
                true => (now.plan, stage),
                false => (now.plan.taken_over(), Stage::Ready),
            };
            self.workers[w] = Worker::Working {
                held: Fulfilment { plan, ..now },
                stage,
            };
            if !same_turn {
                return;
            }
        }
    }

    fn written(
        &mut self,
        w: usize,
        held: &Fulfilment,
        decision: &Decision,
        ending: Option<&Ending>,
    ) {
        let outcome = ending.map(|ending| ending.outcome);
        let row = &mut self.row;
        let was_undone = held.plan == Plan::Undone;
        let open = matches!(outcome, Some(Outcome::Unclear | Outcome::NotSent));
        let (leased, due) = match decision.plan {
            Plan::Stuck { .. } => (false, false),
            Plan::Undone => (false, !was_undone || open),
            Plan::Completed => (held.wish && !decision.decided, true),
            _ => (!open, true),
        };
        let quiet = ending.is_some_and(|ending| ending.quiet && ending.outcome == Outcome::Done);
        let stands = decision.plan == Plan::Completed && held.plan == Plan::Completed;
        row.followed = stands && (row.followed || quiet);
        let now = &mut row.now;
        *now = Fulfilment {
            epoch: now.epoch,
            version: now.version + u8::from(decision.facts),
            plan: decision.plan,
            lapsed: held.lapsed + u8::from(outcome == Some(Outcome::Lapsed)),
            wish: now.wish && !decision.decided,
            payment: ending.and_then(|ending| ending.payment).or(now.payment),
            parcel: ending.and_then(|ending| ending.parcel).or(now.parcel),
        };
        row.leased = leased;
        row.due = due;
        let after = Fulfilment {
            epoch: held.epoch,
            version: now.version,
            plan: now.plan,
            lapsed: now.lapsed,
            wish: held.wish && !decision.decided,
            payment: ending.and_then(|ending| ending.payment).or(held.payment),
            parcel: ending.and_then(|ending| ending.parcel).or(held.parcel),
        };
        self.workers[w] = match leased {
            true => Worker::Working {
                held: after,
                stage: Stage::Ready,
            },
            false => Worker::Idle,
        };
    }
}
