//! A worker, its copy of the saga row, and its progress within a step attempt.

use order_service::domain::saga::plan::{Plan, StepOutcome};

use super::peers::{Call, Peers};

/// The saga row, or a worker's copy of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SagaCopy {
    pub epoch: u8,
    /// The order's version; it increases with each event.
    pub version: u8,
    pub plan: Plan,
    /// The number of expired reservations.
    pub lapsed: u8,
    /// The number of committed turns.
    pub turns: u8,
    /// Whether a cancel is requested.
    pub cancel_requested: bool,
    pub payment: Option<u8>,
    pub parcel: Option<u8>,
}

/// A worker of one process.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Worker {
    Idle,
    Working {
        /// The state including unwritten results.
        current: SagaCopy,
        /// The state last read or written, and the results since then.
        unwritten: Unwritten,
        stage: Stage,
    },
}

/// Results that a worker buffers in memory.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Unwritten {
    pub since: SagaCopy,
    pub ended: Vec<Ending>,
    /// Whether the row has lost progress without recording the doubt.
    pub has_lost_progress: bool,
}

impl Worker {
    /// A worker that has just read or written the row.
    pub fn working(row: SagaCopy) -> Self {
        Self::Working {
            current: row,
            unwritten: Unwritten {
                since: row,
                ended: Vec::new(),
                has_lost_progress: false,
            },
            stage: Stage::Ready,
        }
    }
}

/// The stage of a step attempt.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Stage {
    /// Nothing is sent yet.
    Ready,
    /// The first of the calls is in flight, the others follow; then an optional look-up.
    Calling {
        calls: Vec<Call>,
        then: Then,
        ending: Ending,
    },
    /// It has ended and is not written yet.
    Ended(Ending),
}

/// The look-up after the calls of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Then {
    /// None.
    End,
    /// Refunds every charge that is found, and releases the stock.
    UndoMoneyAndStock,
}

/// The result of an attempt, unless a call fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ending {
    pub outcome: StepOutcome,
    /// Whether there are events to write.
    pub has_events: bool,
    pub payment: Option<u8>,
    pub parcel: Option<u8>,
    /// Whether nothing was in flight when it began.
    pub quiet: bool,
}

impl Ending {
    pub fn new(outcome: StepOutcome) -> Self {
        Self {
            outcome,
            has_events: false,
            payment: None,
            parcel: None,
            quiet: false,
        }
    }

    pub fn done(has_events: bool) -> Self {
        Self {
            has_events,
            ..Self::new(StepOutcome::Done)
        }
    }
}

impl Stage {
    /// Proceeds to the next call, if there is one; a look-up takes no time.
    pub fn proceed(
        mut calls: Vec<Call>,
        then: Then,
        mut ending: Ending,
        peers: &Peers,
        lapsed: u8,
    ) -> Self {
        if calls.is_empty() && then == Then::UndoMoneyAndStock {
            calls.extend(peers.taken().map(Call::Refund));
            ending.has_events |= !calls.is_empty();
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
