//! The saga protocol, explored exhaustively with a model checker: two workers with leases and
//! epochs, requests in flight, and peers that execute requests sooner, later, twice or never. The
//! decisions are those of `domain::saga::plan` itself; everything around them (claims, writes, the
//! requests for each plan) is modelled by hand after `db::sagas` and `saga`. `policy`
//! explores the plan alone, with a database that loses writes, and peers that refuse what they have
//! executed.
//!
//! Assumptions:
//!
//! - A lease may end at any moment without its holder's knowledge; the holder may continue to send
//!   calls until it writes.
//! - An attempt without a response leaves its request in flight: it arrives at any later time, or
//!   never. At most two such requests are in flight at once.
//! - Inventory and Payment answer a repeated request by its key; Shipping makes a parcel for each
//!   create. Each may refuse a new request. The carrier may buffer a parcel, unless there are several
//!   of the order, because a surplus parcel is recent. Refunds and releases are not refused, and
//!   every peer executes exactly what was requested.
//! - The late-arrival check of a cancelled order begins when nothing is in flight and no superseded
//!   worker is active: `SWEEP_AFTER_MS` is longer than that takes. A confirmed order is judged
//!   after it was tracked under the same conditions. Money and goods need no late-arrival check:
//!   they are judged at any moment.
//! - [`FaultBudget`] bounds the faults of one execution; `NotSent` and graceful shutdowns are
//!   unbounded. `cargo test --test it -- --ignored model` explores wider bounds in some minutes.
//!
//! Faulty variants of the protocol follow; the exploration must find a violation in each.

use std::time::Instant;

use order_service::domain::saga::plan::Plan;
use stateright::{Checker, HasDiscoveries, Model, Property};

use action::Action;
use peers::Parcel;
use protocol::{OURS, Protocol, cancelled_at_once};
use states::{has_everything, has_nothing, is_checked, is_confirmed, reached};
use system::{FaultBudget, SystemState};

mod action;
mod commit;
mod peers;
mod protocol;
mod request;
mod states;
mod system;
mod worker;

/// One order, driven by a protocol, with bounded faults.
struct SagaModel {
    protocol: Protocol,
    budget: FaultBudget,
}

const ONE_CHARGE: &str = "at most one charge is not refunded";
const CANCELLED: &str =
    "a cancelled order holds neither money nor goods, even before the late-arrival check";
const CHECKED: &str = "a cancelled order has nothing after the late-arrival check";
const CONFIRMED: &str = "a confirmed order with nothing in flight has everything, once";
const STUCK: &str = "a saga is stuck only if the carrier has kept the parcel";

const ONCE: &str = "a reservation that lapsed is counted once";

/// All safety properties.
const ALWAYS: [&str; 6] = [ONE_CHARGE, CANCELLED, CHECKED, CONFIRMED, STUCK, ONCE];

impl Model for SagaModel {
    type State = SystemState;
    type Action = Action;

    fn init_states(&self) -> Vec<SystemState> {
        vec![SystemState::start(self.budget)]
    }

    fn actions(&self, state: &SystemState, actions: &mut Vec<Action>) {
        state.actions(actions);
    }

    fn next_state(&self, state: &SystemState, action: Action) -> Option<SystemState> {
        state
            .clone()
            .next(action, &self.protocol)
            .filter(|next| next != state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let mut properties = vec![
            Property::always(ONE_CHARGE, |_, state: &SystemState| {
                state.peers.taken().count() <= 1
            }),
            Property::always(CANCELLED, |_, state: &SystemState| {
                state.row.now.plan != Plan::Undone
                    || state.peers.taken().count() == 0 && state.peers.holding() == 0
            }),
            Property::always(CHECKED, |_, state: &SystemState| {
                !is_checked(state) || has_nothing(state)
            }),
            Property::always(CONFIRMED, |_, state: &SystemState| {
                !is_confirmed(state) || has_everything(state)
            }),
            Property::always(STUCK, |_, state: &SystemState| {
                !matches!(state.row.now.plan, Plan::Stuck { .. })
                    || state.peers.parcels.contains(&Parcel::Left)
            }),
        ];
        properties.push(Property::always(
            ONCE,
            |saga: &Self, state: &SystemState| {
                state.row.now.lapsed <= saga.budget.lapses - state.left.lapses
            },
        ));
        properties.extend(reached());
        properties
    }
}

/// Explores all states and prints their number.
fn explore(
    name: &str,
    protocol: Protocol,
    budget: FaultBudget,
    until: HasDiscoveries,
) -> impl Checker<SagaModel> {
    let begun = Instant::now();
    let saga = SagaModel { protocol, budget };
    let checker = saga
        .checker()
        .finish_when(until)
        .threads(2)
        .spawn_bfs()
        .join();
    let (states, depth) = (checker.unique_state_count(), checker.max_depth());
    println!(
        "{name}: {states} states, {depth} deep, in {:?}",
        begun.elapsed()
    );
    checker
}

#[track_caller]
fn holds(name: &str, budget: FaultBudget, states: usize) -> impl Checker<SagaModel> {
    let checker = explore(name, OURS, budget, HasDiscoveries::AnyFailures);
    for property in ALWAYS {
        checker.assert_no_discovery(property);
    }
    let reached = checker.unique_state_count();
    assert!(reached >= states, "only {reached} states were reached");
    checker
}

const NONE: FaultBudget = FaultBudget {
    unclear: 0,
    doubled: 0,
    losses: 0,
    cancels: 0,
    lapses: 0,
    lost_acks: 0,
    forgets: 0,
};

/// One lost response, one dead or superseded lease holder, and one cancel request.
const USUAL: FaultBudget = FaultBudget {
    unclear: 1,
    losses: 1,
    cancels: 1,
    ..NONE
};

#[test]
fn every_order_is_done_once_or_undone_completely() {
    holds("usual", USUAL, 603_000).assert_properties();
}

#[test]
fn duplicated_requests_are_safe() {
    let budget = FaultBudget {
        unclear: 0,
        doubled: 1,
        ..USUAL
    };
    holds("doubled", budget, 428_000);
}

#[test]
fn lapsed_reservations_are_safe() {
    let budget = FaultBudget {
        cancels: 0,
        lapses: 1,
        ..USUAL
    };
    holds("lapsed", budget, 674_000);
}

#[test]
fn unacknowledged_writes_are_safe() {
    let budget = FaultBudget {
        lost_acks: 1,
        unclear: 0,
        lapses: 1,
        ..USUAL
    };
    holds("lost_acks", budget, 712_000);
}

#[test]
fn progress_lost_in_a_failover_is_safe() {
    let budget = FaultBudget {
        forgets: 1,
        losses: 0,
        ..USUAL
    };
    holds("forgets", budget, 11_000);
}

#[test]
#[ignore = "takes minutes: five million states"]
fn progress_lost_in_a_failover_beside_a_crash_is_safe() {
    let budget = FaultBudget {
        forgets: 1,
        ..USUAL
    };
    holds("forgets, wide", budget, 5_000_000);
}

#[test]
fn several_unclear_answers_are_safe() {
    let budget = FaultBudget {
        unclear: 3,
        cancels: 1,
        ..NONE
    };
    holds("unclear", budget, 27_000);
}

#[test]
#[ignore = "takes minutes: eighteen million states"]
fn every_fault_twice_is_safe() {
    let budget = FaultBudget {
        unclear: 2,
        doubled: 1,
        ..USUAL
    };
    holds("wide", budget, 18_700_000).assert_properties();
}

#[track_caller]
fn is_found_faulty(protocol: Protocol, property: &'static str) {
    is_found_faulty_with(USUAL, protocol, property);
}

#[track_caller]
fn is_found_faulty_with(budget: FaultBudget, protocol: Protocol, property: &'static str) {
    let until = HasDiscoveries::AnyOf([property].into());
    explore(property, protocol, budget, until).assert_any_discovery(property);
}

#[test]
fn the_checker_rejects_not_found_as_refused() {
    let protocol = Protocol {
        doubts_what_is_not_found: false,
        ..OURS
    };
    is_found_faulty(protocol, CANCELLED);
}

#[test]
fn the_checker_rejects_a_new_key_for_each_retry() {
    let protocol = Protocol {
        keeps_keys: false,
        ..OURS
    };
    is_found_faulty(protocol, ONE_CHARGE);
}

#[test]
fn the_checker_rejects_writes_without_fencing() {
    let protocol = Protocol {
        fences: false,
        ..OURS
    };
    is_found_faulty(protocol, CANCELLED);
}

#[test]
fn the_checker_rejects_detecting_writes_by_the_plan() {
    let protocol = Protocol {
        counts_turns: false,
        ..OURS
    };
    let budget = FaultBudget {
        lost_acks: 1,
        losses: 1,
        lapses: 1,
        ..NONE
    };
    is_found_faulty_with(budget, protocol, ONCE);
}

#[test]
fn the_checker_rejects_trusting_a_row_with_lost_progress() {
    let protocol = Protocol {
        remembers_doubt: false,
        ..OURS
    };
    let budget = FaultBudget {
        forgets: 1,
        unclear: 1,
        cancels: 1,
        ..NONE
    };
    is_found_faulty_with(budget, protocol, CANCELLED);
}

#[test]
fn the_checker_rejects_undoing_during_an_open_step() {
    let protocol = Protocol {
        cancelled: cancelled_at_once,
        ..OURS
    };
    is_found_faulty(protocol, CANCELLED);
}

#[test]
fn the_checker_rejects_a_lease_without_an_epoch() {
    let protocol = Protocol {
        raises_epochs: false,
        ..OURS
    };
    is_found_faulty(protocol, CANCELLED);
}

#[test]
fn the_checker_rejects_leaving_a_surplus_parcel() {
    let protocol = Protocol {
        recalls_surplus: false,
        ..OURS
    };
    is_found_faulty(protocol, CONFIRMED);
}

#[test]
fn the_checker_rejects_cancelling_without_a_late_check() {
    let protocol = Protocol {
        checks_late_arrivals: false,
        ..OURS
    };
    is_found_faulty(protocol, CHECKED);
}
