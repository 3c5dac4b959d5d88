//! Applying the result of a step, or a cancel request, to a saga: the transition decides the next
//! position, the order's state, the events, the next run and the durability of the commit.

use std::time::Duration;

use crate::domain::cancel_reason::CancelReason;
use crate::domain::event::OrderEvent;
use crate::domain::status::OrderStatus;
use crate::domain::step::Step;

use super::plan::{Plan, StepOutcome};
use super::retry::{NextRun, RetryPolicy, attempts_after, is_tracking_over};
use super::{Saga, StepResult};

/// Whether the database may lose a commit in a crash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// The commit waits for the disk and the synchronous standbys: the order's acknowledgement, refusals,
    /// cancellations and final states.
    Synchronous,
    /// The commit returns before it is durable. The steps are idempotent, so a lost progress update only
    /// repeats them.
    Asynchronous,
}

/// A change of a saga, ready to be committed.
#[derive(Clone, Debug, PartialEq)]
pub struct Transition {
    /// The saga afterwards.
    pub saga: Saga,
    /// The events of the order, in their order.
    pub events: Vec<OrderEvent>,
    /// When the saga runs again.
    pub next_run: NextRun,
    /// Whether the commit must survive a crash of the database.
    pub durability: Durability,
    /// The peer's last message, for staff.
    pub last_answer: Option<String>,
    /// Whether the cancel request is decided by this.
    pub cancel_decided: bool,
    /// Direction and name of the last operation, see [`Plan::operation`].
    pub operation: (&'static str, &'static str),
}

impl Saga {
    /// The transition after one attempt at the current step.
    pub fn apply(&self, result: &StepResult, policy: &RetryPolicy) -> Transition {
        let status = self.order.state.order_status;
        let mut plan = self.plan.after(result.outcome);
        let mut events = result.events.clone();
        let mut reason = result.reason.clone().unwrap_or_default();
        if let Some(why) = self.cancel_reason_after(result.outcome) {
            if self.order.state.is_cancellable() {
                events.push(OrderEvent::CompensationStarted { reason: why });
            } else {
                reason = format!("the parcel was cancelled, but the order is {status}; {reason}");
                plan = Plan::Stuck {
                    step: Step::CreateShipment,
                    undoing: true,
                };
            }
        }
        let is_recall = matches!(self.plan, Plan::Recalling { .. });
        if is_recall && result.outcome == StepOutcome::Refused {
            events.push(OrderEvent::CancelRefused {
                reason: reason.clone(),
            });
        }
        match plan {
            Plan::Undone if status != OrderStatus::Cancelled => {
                events.push(OrderEvent::OrderCancelled);
            }
            Plan::Stuck { step, .. } if self.plan != plan => {
                events.push(OrderEvent::InterventionRequired { step, reason });
            }
            _ => {}
        }
        self.moved_to(plan, events, Some(result), policy)
    }

    /// The transition that executes an open cancel request; `None` without a request, or while a step is
    /// in doubt.
    pub fn apply_cancel_request(&self, policy: &RetryPolicy) -> Option<Transition> {
        let reason = self.cancel_request?;
        let plan = self.plan.after_cancel_request()?;
        let events = if plan.is_undoing() {
            vec![OrderEvent::CompensationStarted { reason }]
        } else {
            Vec::new()
        };
        let transition = self.moved_to(plan, events, None, policy);
        Some(Transition {
            operation: ("decide", "cancel"),
            ..transition
        })
    }

    /// The transition of several results, the first of which was reached from this saga. Without results
    /// it changes nothing.
    pub fn apply_all(&self, results: &[StepResult], policy: &RetryPolicy) -> Transition {
        let unchanged = Transition {
            saga: self.clone(),
            events: Vec::new(),
            next_run: NextRun::Now,
            durability: Durability::Asynchronous,
            last_answer: None,
            cancel_decided: false,
            operation: self.plan.operation(),
        };
        results.iter().fold(unchanged, |before, result| {
            let next = before.saga.apply(result, policy);
            before.then(next)
        })
    }

    /// The transition that records the repair of a confirmed order, which stays as it is and is tracked
    /// further. `reason`: why a part of the surplus remains.
    pub fn apply_repair(
        &self,
        events: &[OrderEvent],
        reason: Option<&str>,
        policy: &RetryPolicy,
    ) -> Transition {
        let (state, events) = self.order.state.after(events.to_vec());
        let next_run = if self.cancel_request.is_some() {
            NextRun::After(Duration::ZERO)
        } else if is_tracking_over(state.shipping_status) {
            NextRun::Never
        } else {
            NextRun::After(policy.follow_interval)
        };
        let mut saga = self.clone();
        saga.plan = Plan::Completed;
        saga.attempts = 0;
        saga.turns += 1;
        saga.order.state = state;
        Transition {
            saga,
            events,
            next_run,
            durability: Durability::Synchronous,
            last_answer: reason.map(str::to_owned),
            cancel_decided: false,
            operation: ("do", "repair"),
        }
    }

    /// Why an outcome cancels the order, if it does.
    fn cancel_reason_after(&self, outcome: StepOutcome) -> Option<CancelReason> {
        match (self.plan, outcome) {
            (Plan::Doing { step, .. }, StepOutcome::Refused) => Some(match step {
                Step::ReserveStock => CancelReason::OutOfStock,
                Step::ChargePayment => CancelReason::PaymentDeclined,
                Step::CreateShipment | Step::CommitStock => CancelReason::PeerRefused,
            }),
            (Plan::Recalling { .. }, StepOutcome::Done) => {
                Some(self.cancel_request.unwrap_or(CancelReason::Staff))
            }
            (Plan::Completed, StepOutcome::Refused) => Some(CancelReason::PeerRefused),
            _ => None,
        }
    }

    fn moved_to(
        &self,
        plan: Plan,
        events: Vec<OrderEvent>,
        result: Option<&StepResult>,
        policy: &RetryPolicy,
    ) -> Transition {
        let (state, events) = self.order.state.after(events);
        let cancel_decided = decides_cancel(plan, &events);
        let mut saga = self.clone();
        saga.attempts = attempts_after(self, plan, !events.is_empty(), result);
        saga.turns += 1;
        saga.plan = plan;
        saga.order.state = state;
        if cancel_decided {
            saga.cancel_request = None;
        }
        if let Some(result) = result {
            let has_lapsed = result.outcome == StepOutcome::Lapsed;
            saga.lapsed = saga.lapsed.saturating_add(has_lapsed.into());
            saga.payment_id = result.payment_id.clone().or(saga.payment_id);
            saga.shipment_id = result.shipment_id.clone().or(saga.shipment_id);
        }
        let next_run = policy.next_run(self, &saga, result);
        let is_progress = result.is_some_and(|result| result.outcome == StepOutcome::Done)
            && !plan.is_settled()
            && !cancel_decided;
        let last_answer = stuck_reason(&events)
            .or(result.and_then(|result| result.reason.as_deref()))
            .map(str::to_owned);
        Transition {
            saga,
            events,
            next_run,
            durability: match is_progress {
                true => Durability::Asynchronous,
                false => Durability::Synchronous,
            },
            last_answer,
            cancel_decided,
            operation: self.plan.operation(),
        }
    }
}

impl Transition {
    /// This transition and the next one as a single commit, which is as durable as the stricter of both.
    #[must_use]
    pub fn then(self, next: Self) -> Self {
        let mut events = self.events;
        events.extend(next.events);
        Self {
            events,
            durability: match (self.durability, next.durability) {
                (Durability::Asynchronous, Durability::Asynchronous) => Durability::Asynchronous,
                _ => Durability::Synchronous,
            },
            cancel_decided: self.cancel_decided || next.cancel_decided,
            ..next
        }
    }

    /// The saga once this is committed as that version of the order.
    pub fn committed_as(self, version: i32) -> Saga {
        let mut saga = self.saga;
        saga.order.version = version;
        saga
    }

    /// Whether the commit may wait in memory (write-behind): the same worker continues at once, and a new
    /// lease holder that repeats the steps gets the same results and records the same events. Compensations are committed at once,
    /// because a repeated compensation is not always recognised.
    pub fn is_deferrable(&self) -> bool {
        self.durability == Durability::Asynchronous
            && self.next_run == NextRun::Now
            && matches!(self.saga.plan, Plan::Doing { .. })
    }
}

fn decides_cancel(plan: Plan, events: &[OrderEvent]) -> bool {
    let decided = |event: &OrderEvent| {
        matches!(
            event,
            OrderEvent::CompensationStarted { .. } | OrderEvent::CancelRefused { .. }
        )
    };
    events.iter().any(decided) || matches!(plan, Plan::Stuck { .. })
}

/// Why the saga is stuck, if an event says so.
fn stuck_reason(events: &[OrderEvent]) -> Option<&str> {
    events.iter().find_map(|event| match event {
        OrderEvent::InterventionRequired { reason, .. } => Some(reason.as_str()),
        _ => None,
    })
}
