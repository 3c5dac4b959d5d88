//! The saga policy, `domain::saga::plan`, explored exhaustively: every answer of every peer, crashes of
//! the worker and of the database at every point, and a cancel at any moment. A confirmed order
//! always has everything, a cancelled order nothing.
//!
//! Faulty variants of the policy follow; the exploration must find a violation in each.

use std::collections::{HashSet, VecDeque};

use order_service::domain::saga::plan::{Doubt, Plan, StepOutcome};
use order_service::domain::step::Step;

/// A policy: the effect of an attempt, of a new lease holder, and of a cancel request on a plan.
#[derive(Clone, Copy)]
struct Policy {
    after: fn(Plan, StepOutcome) -> Plan,
    in_doubt: fn(Plan) -> Plan,
    cancelled: fn(Plan) -> Option<Plan>,
}

const OURS: Policy = Policy {
    after: Plan::after,
    in_doubt: Plan::in_doubt,
    cancelled: Plan::after_cancel_request,
};

/// The steps that the peers have really executed: one bit per step.
type Done = u8;

fn bit(step: Step) -> Done {
    1 << (step as u8)
}

const ALL: Done = 0b1111;

/// The order, its peers, and the states that the database may fall back to.
#[derive(Clone, PartialEq, Eq, Hash)]
struct PolicyState {
    plan: PlanKey,
    done: Done,
    cancel_requested: bool,
    /// The committed states that a database crash may return to: the last synchronous one and the
    /// asynchronous ones since.
    commits: Vec<PlanKey>,
}

/// A plan as a hashable key.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct PlanKey(u8, Option<Step>, u8);

impl PlanKey {
    fn of(plan: Plan) -> Self {
        match plan {
            Plan::Doing { step, doubt } => Self(0, Some(step), doubt as u8),
            Plan::Recalling { committed } => Self(1, None, committed.into()),
            Plan::Undoing(step) => Self(2, Some(step), 0),
            Plan::Completed => Self(3, None, 0),
            Plan::Undone => Self(4, None, 0),
            Plan::Stuck { step, undoing } => Self(5, Some(step), undoing.into()),
        }
    }

    fn plan(self) -> Plan {
        let step = self.1.unwrap_or(Step::ReserveStock);
        match (self.0, self.2) {
            (0, 0) => Plan::Doing {
                step,
                doubt: Doubt::None,
            },
            (0, 1) => Plan::Doing {
                step,
                doubt: Doubt::Step,
            },
            (0, _) => Plan::Doing {
                step,
                doubt: Doubt::StepAndLater,
            },
            (1, committed) => Plan::Recalling {
                committed: committed == 1,
            },
            (2, _) => Plan::Undoing(step),
            (3, _) => Plan::Completed,
            (4, _) => Plan::Undone,
            (_, undoing) => Plan::Stuck {
                step,
                undoing: undoing == 1,
            },
        }
    }
}

impl PolicyState {
    fn start() -> Self {
        let start = PlanKey::of(Plan::START);
        Self {
            plan: start,
            done: 0,
            cancel_requested: false,
            commits: vec![start],
        }
    }

    /// An asynchronous commit after a completed step may be lost; every synchronous commit also
    /// flushes the earlier ones.
    fn committed_as(&self, plan: Plan, done: Done, lazy: bool) -> Self {
        let key = PlanKey::of(plan);
        let mut commits = if lazy {
            self.commits.clone()
        } else {
            Vec::new()
        };
        if !commits.contains(&key) {
            commits.push(key);
        }
        Self {
            plan: key,
            done,
            cancel_requested: self.cancel_requested,
            commits,
        }
    }

    /// All results of an attempt: the effect at the peer, and its answer.
    fn attempts(&self) -> Vec<(Done, StepOutcome)> {
        let done = self.done;
        let undo = |bits: Done| {
            vec![
                (done & !bits, StepOutcome::Done),
                (done & !bits, StepOutcome::Unclear),
                (done, StepOutcome::Unclear),
                (done, StepOutcome::NotSent),
            ]
        };
        match self.plan.plan() {
            // Inventory commits a reservation that is held, or was committed.
            Plan::Doing {
                step: step @ Step::CommitStock,
                ..
            } if done & (bit(step) | bit(Step::ReserveStock)) == 0 => {
                vec![
                    (done, StepOutcome::Lapsed),
                    (done, StepOutcome::Refused),
                    (done, StepOutcome::Unclear),
                    (done, StepOutcome::NotSent),
                ]
            }
            Plan::Doing { step, doubt } => {
                let mut attempts = vec![
                    (done | bit(step), StepOutcome::Done),
                    (done | bit(step), StepOutcome::Unclear),
                    (done, StepOutcome::Unclear),
                    (done, StepOutcome::NotSent),
                ];
                // A peer may refuse what it has done before, if the answer was lost.
                if done & bit(step) == 0 || doubt != Doubt::None {
                    attempts.push((done, StepOutcome::Refused));
                }
                attempts
            }
            Plan::Undoing(Step::ReserveStock | Step::CommitStock) => {
                undo(bit(Step::ReserveStock) | bit(Step::CommitStock))
            }
            Plan::Undoing(step @ Step::ChargePayment) => undo(bit(step)),
            Plan::Undoing(step @ Step::CreateShipment) => {
                let mut attempts = undo(bit(step));
                attempts.push((done, StepOutcome::Refused));
                attempts
            }
            Plan::Recalling { .. } => {
                let step = Step::CreateShipment;
                let mut attempts = undo(bit(step));
                if done & bit(step) != 0 {
                    attempts.push((done, StepOutcome::Refused));
                }
                attempts
            }
            Plan::Completed | Plan::Undone | Plan::Stuck { .. } => Vec::new(),
        }
    }

    fn next(&self, policy: &Policy) -> Vec<Self> {
        let plan = self.plan.plan();
        let mut states = Vec::new();
        for (done, outcome) in self.attempts() {
            let after = (policy.after)(plan, outcome);
            let lazy = outcome == StepOutcome::Done && !after.is_settled();
            let mut state = self.committed_as(after, done, lazy);
            // A failed recall leaves the order confirmed, and refuses the cancel request.
            state.cancel_requested &= !matches!(
                (plan, outcome),
                (Plan::Recalling { .. }, StepOutcome::Refused)
            );
            states.push(state);
            // The worker dies before it writes the result.
            let in_doubt = (policy.in_doubt)(plan);
            states.push(Self {
                done,
                ..self.committed_as(in_doubt, done, false)
            });
            // The database crashes as well and loses asynchronous commits.
            for commit in &self.commits {
                let in_doubt = (policy.in_doubt)(commit.plan());
                states.push(Self {
                    done,
                    ..self.committed_as(in_doubt, done, false)
                });
            }
        }
        // A reservation expires, unless it was committed.
        if self.done & bit(Step::CommitStock) == 0 && !plan.is_settled() {
            let done = self.done & !bit(Step::ReserveStock);
            states.push(Self {
                done,
                ..self.clone()
            });
        }
        if !self.cancel_requested {
            states.push(Self {
                cancel_requested: true,
                ..self.clone()
            });
        } else if let Some(cancelled) = (policy.cancelled)(plan) {
            states.push(self.committed_as(cancelled, self.done, false));
        }
        states
    }

    fn violation(&self) -> Option<String> {
        match self.plan.plan() {
            Plan::Completed if self.done != ALL => Some(format!(
                "the order is confirmed, but only {:04b} is done",
                self.done
            )),
            Plan::Undone if self.done != 0 => Some(format!(
                "the order is cancelled, but {:04b} is still done",
                self.done
            )),
            _ => None,
        }
    }
}

/// Explores every reachable state; returns their number and the first violation.
fn explore(policy: Policy) -> (usize, Option<String>) {
    let mut seen = HashSet::from([PolicyState::start()]);
    let mut queue = VecDeque::from([PolicyState::start()]);
    while let Some(state) = queue.pop_front() {
        if let Some(violation) = state.violation() {
            return (seen.len(), Some(violation));
        }
        for next in state.next(&policy) {
            if seen.insert(next.clone()) {
                queue.push_back(next);
            }
        }
    }
    (seen.len(), None)
}

#[test]
fn every_policy_path_ends_with_all_steps_or_none() {
    let (states, violation) = explore(OURS);
    assert_eq!(violation, None);
    assert!(states > 200, "only {states} states were reached");
}

#[test]
fn every_plan_is_reachable() {
    let mut seen = HashSet::from([PolicyState::start()]);
    let mut queue = VecDeque::from([PolicyState::start()]);
    let mut plans = HashSet::new();
    while let Some(state) = queue.pop_front() {
        plans.insert(state.plan);
        for next in state.next(&OURS) {
            if seen.insert(next.clone()) {
                queue.push_back(next);
            }
        }
    }
    for step in Step::ALL {
        for doubt in [Doubt::None, Doubt::Step, Doubt::StepAndLater] {
            let plan = Plan::Doing { step, doubt };
            assert!(plans.contains(&PlanKey::of(plan)), "{plan:?}");
        }
        assert!(
            plans.contains(&PlanKey::of(Plan::Undoing(step))),
            "undoing {step}"
        );
    }
    for plan in [Plan::Completed, Plan::Undone] {
        assert!(plans.contains(&PlanKey::of(plan)), "{plan:?}");
    }
}

#[track_caller]
fn is_found_faulty(policy: Policy) {
    let (states, violation) = explore(policy);
    assert!(violation.is_some(), "no fault found in {states} states");
}

#[test]
fn the_checker_rejects_unclear_as_refused() {
    is_found_faulty(Policy {
        after: |plan, outcome| match outcome {
            StepOutcome::Unclear => plan.after(StepOutcome::Refused),
            other => plan.after(other),
        },
        ..OURS
    });
}

#[test]
fn the_checker_rejects_forgetting_doubt() {
    is_found_faulty(Policy {
        after: |plan, outcome| match (plan, outcome) {
            (Plan::Doing { .. }, StepOutcome::Unclear) => plan,
            _ => plan.after(outcome),
        },
        ..OURS
    });
}

#[test]
fn the_checker_rejects_undoing_during_an_open_step() {
    is_found_faulty(Policy {
        cancelled: |plan| match plan {
            Plan::Doing { step, .. } => Plan::Doing {
                step,
                doubt: Doubt::None,
            }
            .after_cancel_request(),
            other => other.after_cancel_request(),
        },
        ..OURS
    });
}

#[test]
fn the_checker_rejects_a_new_lease_holder_without_doubt() {
    is_found_faulty(Policy {
        in_doubt: |plan| plan,
        ..OURS
    });
}

#[test]
fn the_checker_rejects_doubting_only_the_last_recorded_step() {
    is_found_faulty(Policy {
        in_doubt: |plan| match plan {
            Plan::Doing { step, .. } => Plan::Doing {
                step,
                doubt: Doubt::Step,
            },
            other => other,
        },
        ..OURS
    });
}

#[test]
fn the_checker_rejects_continuing_on_a_lapsed_reservation() {
    is_found_faulty(Policy {
        after: |plan, outcome| match outcome {
            StepOutcome::Lapsed => plan.after(StepOutcome::Done),
            _ => plan.after(outcome),
        },
        ..OURS
    });
}

#[test]
fn the_checker_rejects_an_incomplete_undo() {
    is_found_faulty(Policy {
        after: |plan, outcome| match (plan, outcome) {
            (Plan::Undoing(Step::ChargePayment), StepOutcome::Done) => Plan::Undone,
            _ => plan.after(outcome),
        },
        ..OURS
    });
}
