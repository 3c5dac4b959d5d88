//! What a fulfilment has come to since it was last written, and so what is to be written of it: pure.

use crate::db::fulfilments::{Fulfilment, Mark, Next};
use crate::domain::event::OrderEvent;
use crate::domain::plan::{Outcome, Plan, Step};

use super::Settings;
use super::attempt::Attempt;
use super::decide::{Decision, on_attempt, on_cancel};
use super::schedule::{attempts, is_lazy, next};

/// What is to be written.
#[derive(Debug)]
pub(super) struct Draft {
    /// The fulfilment as it will be.
    pub after: Fulfilment,
    /// What has happened to the order, in its order.
    pub facts: Vec<OrderEvent>,
    /// When it is looked at again.
    pub next: Next,
    /// Direction and step of the last turn, as failpoints name them.
    pub turn: (&'static str, &'static str),
    cancel_decided: bool,
    last_answer: Option<String>,
    is_lazy: bool,
}

impl Draft {
    /// What attempts, the first of which found the fulfilment as it was written, have led to.
    pub fn of(settings: &Settings, written: &Fulfilment, ended: &[Attempt]) -> Self {
        let nothing = Self {
            after: written.clone(),
            facts: Vec::new(),
            next: Next::Now,
            turn: named(written.plan),
            cancel_decided: false,
            last_answer: None,
            is_lazy: true,
        };
        let add = |draft: Self, attempt| {
            let decision = on_attempt(&draft.after, attempt);
            let turn = named(draft.after.plan);
            draft.then(settings, decision, Some(attempt), turn)
        };
        ended.iter().fold(nothing, add)
    }

    /// The same, and then a wish to cancel, if there is one and this is a safe point.
    pub fn cancelled(self, settings: &Settings) -> Option<Self> {
        let decision = on_cancel(&self.after)?;
        Some(self.then(settings, decision, None, ("decide", "cancel")))
    }

    fn then(
        mut self,
        settings: &Settings,
        decision: Decision,
        attempt: Option<&Attempt>,
        turn: (&'static str, &'static str),
    ) -> Self {
        let before = &self.after;
        let next = next(settings, before, &decision, attempt);
        let attempts = attempts(before, &decision, attempt);
        let last_answer = decision
            .stuck_because()
            .or(attempt.and_then(|attempt| attempt.reason.as_deref()));
        self.last_answer = last_answer.map(str::to_owned);
        self.is_lazy &= is_lazy(&decision, attempt);
        self.cancel_decided |= decision.cancel_decided;
        self.next = next;
        self.turn = turn;
        let after = &mut self.after;
        after.attempts = attempts;
        after.turns += 1;
        if let Some(attempt) = attempt {
            after.lapsed = lapsed(after.lapsed, attempt);
            learn(&mut after.payment_id, &attempt.payment_id);
            learn(&mut after.shipment_id, &attempt.shipment_id);
        }
        if decision.cancel_decided {
            after.cancel = None;
        }
        after.plan = decision.plan;
        after.order.state = decision.state;
        self.facts.extend(decision.facts);
        self
    }

    /// Whether it may be kept in memory for a while: the same holder goes on at once, and another one that
    /// had to repeat it would find and tell the same. What was undone is not always found undone.
    pub fn can_wait(&self) -> bool {
        self.is_lazy && self.next == Next::Now && matches!(self.after.plan, Plan::Doing { .. })
    }

    /// As the table takes it.
    pub fn mark(&self) -> Mark<'_> {
        Mark {
            after: &self.after,
            facts: &self.facts,
            next: self.next,
            last_answer: self.last_answer.as_deref(),
            cancel_decided: self.cancel_decided,
            lazy: self.is_lazy,
        }
    }
}

/// What is done in a turn: its direction and step, as metrics name them.
pub(super) fn named(plan: Plan) -> (&'static str, &'static str) {
    match plan {
        Plan::Doing { step, .. } => ("do", step.as_str()),
        Plan::Undoing(step) => ("undo", step.as_str()),
        Plan::Recalling { .. } => ("undo", Step::CreateShipment.as_str()),
        Plan::Undone => ("undo", "sweep"),
        Plan::Completed | Plan::Stuck { .. } => ("do", "follow_shipment"),
    }
}

fn lapsed(before: i16, attempt: &Attempt) -> i16 {
    let one_more = attempt.outcome == Outcome::Lapsed;
    before.saturating_add(one_more.into())
}

fn learn(number: &mut Option<String>, learnt: &Option<String>) {
    if learnt.is_some() {
        number.clone_from(learnt);
    }
}
