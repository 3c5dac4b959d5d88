//! A worker: what it holds of a fulfilment, and how far it is with its turn.

use order_service::domain::saga::plan::{Plan, StepOutcome};

use super::peers::{Call, Peers};

/// A fulfilment: the row itself, or what a worker has read of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Fulfilment {
    pub epoch: u8,
    /// The order's; it rises with each event.
    pub version: u8,
    pub plan: Plan,
    /// How many reservations have lapsed.
    pub lapsed: u8,
    /// How many turns are written.
    pub turns: u8,
    /// Somebody wants the order called off.
    pub wish: bool,
    pub payment: Option<u8>,
    pub parcel: Option<u8>,
}

/// One of the processes that drive orders.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Worker {
    Idle,
    Working {
        /// As it is by now.
        held: Fulfilment,
        /// As it was last read or written, and what has ended since then.
        unwritten: Unwritten,
        stage: Stage,
    },
}

/// What a worker has done, and keeps in memory.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Unwritten {
    pub since: Fulfilment,
    pub ended: Vec<Ending>,
    /// Whether the row has forgotten what was done, and does not tell that it has.
    pub has_lost_marks: bool,
}

impl Worker {
    /// One that has just read or written the row.
    pub fn working(row: Fulfilment) -> Self {
        Self::Working {
            held: row,
            unwritten: Unwritten {
                since: row,
                ended: Vec::new(),
                has_lost_marks: false,
            },
            stage: Stage::Ready,
        }
    }
}

/// How far a turn is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Stage {
    /// Nothing is sent so far.
    Ready,
    /// The first of the calls is under way, the others follow; last, perhaps, what is left to look for.
    Calling {
        calls: Vec<Call>,
        then: Then,
        ending: Ending,
    },
    /// It has come to an end, which is not written down yet.
    Ended(Ending),
}

/// What follows the calls of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Then {
    /// Nothing.
    End,
    /// Give back every charge that is found, and let go of the stock.
    SweepMoneyAndStock,
}

/// How an attempt ends, unless a call goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ending {
    pub outcome: StepOutcome,
    /// Whether there are events to be written.
    pub facts: bool,
    pub payment: Option<u8>,
    pub parcel: Option<u8>,
    /// Whether nothing was under way when it began.
    pub quiet: bool,
}

impl Ending {
    pub fn new(outcome: StepOutcome) -> Self {
        Self {
            outcome,
            facts: false,
            payment: None,
            parcel: None,
            quiet: false,
        }
    }

    pub fn done(facts: bool) -> Self {
        Self {
            facts,
            ..Self::new(StepOutcome::Done)
        }
    }
}

impl Stage {
    /// Goes on to the next call, if there is one; a look-up takes no time.
    pub fn proceed(
        mut calls: Vec<Call>,
        then: Then,
        mut ending: Ending,
        peers: &Peers,
        lapsed: u8,
    ) -> Self {
        if calls.is_empty() && then == Then::SweepMoneyAndStock {
            calls.extend(peers.taken().map(Call::Refund));
            ending.facts |= !calls.is_empty();
            calls.push(Call::Release(lapsed));
            return Self::Calling {
                calls,
                then: Then::End,
                ending,
            };
        }
        match calls.is_empty() {
            true => Self::Ended(ending),
            false => Self::Calling {
                calls,
                then,
                ending,
            },
        }
    }
}
