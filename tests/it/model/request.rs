//! The requests of a worker for each plan, as the files of `saga::steps` send them. A look-up takes
//! no time: a crash, a cancel or a late request between it and the following call equals one
//! between that call's sending and its arrival.

use order_service::domain::saga::plan::{Doubt, Plan, StepOutcome};
use order_service::domain::step::Step;

use super::peers::{Call, Parcel, Peers};
use super::protocol::Protocol;
use super::worker::{Ending, SagaCopy, Stage, Then};

/// Begins the attempt at the next step.
pub fn attempt(
    current: &SagaCopy,
    peers: &Peers,
    protocol: &Protocol,
    key: u8,
    quiet: bool,
) -> Stage {
    let (calls, then, ending) = requests(current, peers, protocol, key);
    Stage::proceed(
        calls,
        then,
        Ending { quiet, ..ending },
        peers,
        current.lapsed,
    )
}

fn requests(
    current: &SagaCopy,
    peers: &Peers,
    protocol: &Protocol,
    key: u8,
) -> (Vec<Call>, Then, Ending) {
    let (calls, ending) = match current.plan {
        Plan::Doing {
            step: Step::ReserveStock,
            ..
        } => {
            let lapsed = current.lapsed.checked_sub(1).map(Call::Release);
            (
                lapsed
                    .into_iter()
                    .chain([Call::Reserve(current.lapsed)])
                    .collect(),
                Ending::done(true),
            )
        }
        Plan::Doing {
            step: Step::ChargePayment,
            ..
        } if current.payment.is_some() => (vec![], Ending::done(false)),
        Plan::Doing {
            step: Step::CreateShipment,
            ..
        } if current.parcel.is_some() => (vec![], Ending::done(false)),
        Plan::Doing {
            step: Step::ChargePayment,
            doubt,
        } => charge(peers, protocol, doubt, key),
        Plan::Doing {
            step: Step::CreateShipment,
            doubt,
        } => create(peers, protocol, doubt),
        Plan::Doing {
            step: Step::CommitStock,
            ..
        } => (vec![Call::Commit(current.lapsed)], Ending::done(true)),
        Plan::Undoing(Step::ReserveStock | Step::CommitStock) => {
            (vec![Call::Release(current.lapsed)], Ending::done(true))
        }
        Plan::Undoing(Step::ChargePayment) => {
            let calls: Vec<_> = match current.payment {
                Some(payment) => vec![Call::Refund(payment)],
                None => peers.taken().map(Call::Refund).collect(),
            };
            let ending = Ending::done(!calls.is_empty());
            (calls, ending)
        }
        Plan::Undoing(Step::CreateShipment) | Plan::Recalling { .. } => {
            let calls = recalls(peers.live());
            let ending = Ending::done(!calls.is_empty());
            (calls, ending)
        }
        Plan::Completed => follow(current, peers, protocol),
        Plan::Undone if !protocol.checks_late_arrivals => (vec![], Ending::done(false)),
        Plan::Undone => {
            let calls = recalls(peers.live());
            let ending = Ending::done(!calls.is_empty());
            return (calls, Then::UndoMoneyAndStock, ending);
        }
        Plan::Stuck { .. } => (vec![], Ending::done(false)),
    };
    (calls, Then::End, ending)
}

fn charge(peers: &Peers, protocol: &Protocol, doubt: Doubt, key: u8) -> (Vec<Call>, Ending) {
    if doubt != Doubt::None && !protocol.doubts_what_is_not_found {
        let ending = match peers.taken().next() {
            Some(payment) => Ending {
                payment: Some(payment),
                ..Ending::done(true)
            },
            None => Ending::new(StepOutcome::Refused),
        };
        return (vec![], ending);
    }
    (
        vec![Call::Charge(key)],
        Ending {
            payment: Some(key),
            ..Ending::done(true)
        },
    )
}

/// A step in doubt is looked up first: the oldest parcel counts, the others are recalled.
fn create(peers: &Peers, protocol: &Protocol, doubt: Doubt) -> (Vec<Call>, Ending) {
    if doubt != Doubt::None {
        let mut live = peers.live();
        if let Some(oldest) = live.next() {
            return (
                recalls(live.filter(|_| protocol.recalls_surplus)),
                Ending {
                    parcel: Some(oldest),
                    ..Ending::done(true)
                },
            );
        }
        if !protocol.doubts_what_is_not_found {
            return (vec![], Ending::new(StepOutcome::Refused));
        }
    }
    (vec![Call::Create], Ending::done(true))
}

/// A surplus parcel is recalled; if the order's own parcel was recalled, the order is cancelled.
fn follow(current: &SagaCopy, peers: &Peers, protocol: &Protocol) -> (Vec<Call>, Ending) {
    let ours = |number: &u8| current.parcel.is_none_or(|ours| ours == *number);
    let surplus = peers
        .live()
        .filter(|number| protocol.recalls_surplus && !ours(number));
    let cancelled = (0_u8..)
        .zip(&peers.parcels)
        .find(|(number, _)| ours(number))
        .is_some_and(|(_, parcel)| *parcel == Parcel::Cancelled);
    let ending = match cancelled {
        true => Ending::new(StepOutcome::Refused),
        false => Ending::done(false),
    };
    (recalls(surplus), ending)
}

/// Recalls parcels, the newest first.
fn recalls(oldest_first: impl Iterator<Item = u8>) -> Vec<Call> {
    let mut calls: Vec<_> = oldest_first.map(Call::Recall).collect();
    calls.reverse();
    calls
}
