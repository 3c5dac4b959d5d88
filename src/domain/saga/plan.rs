//! The policy of the saga: a state machine that decides which step follows an outcome. A pure value; the
//! worker only executes it.

use std::fmt;

use crate::domain::step::Step;

/// How an attempt at a step ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StepOutcome {
    /// The peer confirmed the step.
    Done,
    /// The peer refused the step definitely.
    Refused,
    /// The peer refused the step because an earlier reservation has expired.
    Lapsed,
    /// The outcome is unknown: no answer, or none that proves anything. The worker repeats the call with
    /// the same idempotency key.
    Unclear,
    /// This attempt did not reach the peer; an earlier one may have.
    NotSent,
    /// The peer did something other than it was asked for. Staff decide.
    Wrong,
}

/// Which requests may have reached a peer without a known outcome: the steps in doubt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Doubt {
    /// None.
    None,
    /// The current step.
    Step,
    /// The current step and every later one: a worker died, and its last progress updates may be lost.
    StepAndLater,
}

/// The position of a saga in the state machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Plan {
    /// A step is being executed.
    Doing {
        /// The step.
        step: Step,
        /// Which requests may have been sent before.
        doubt: Doubt,
    },
    /// A cancel request arrived when the parcel was announced already: recall the parcel, then cancel
    /// the order.
    Recalling {
        /// Whether the stock was committed, that is, the order was confirmed.
        committed: bool,
    },
    /// A step is being compensated.
    Undoing(Step),
    /// Every step is done; the parcel is tracked.
    Completed,
    /// Every step is compensated.
    Undone,
    /// Stuck: staff must decide, because a peer did something other than it was asked for, or refused a
    /// compensation.
    Stuck {
        /// The step it stopped at.
        step: Step,
        /// Whether the step was being compensated.
        undoing: bool,
    },
}

impl Plan {
    /// The position of a new saga.
    pub const START: Self = Self::Doing {
        step: Step::ReserveStock,
        doubt: Doubt::None,
    };

    /// The position after an attempt has ended.
    ///
    /// A step that may have been executed before it was refused is compensated as well, because a refused
    /// reservation may hold the lines that it took before it failed.
    pub fn after(self, outcome: StepOutcome) -> Self {
        let stuck_undoing = |step| Self::Stuck {
            step,
            undoing: true,
        };
        match (self, outcome) {
            (same, StepOutcome::NotSent) => same,
            (Self::Doing { step, doubt }, _) => Self::after_doing(step, doubt, outcome),
            (Self::Undoing(step), StepOutcome::Done) => Self::undoing_before(step),
            (Self::Undoing(step), StepOutcome::Refused | StepOutcome::Wrong) => stuck_undoing(step),
            // The carrier has cancelled the parcel.
            (Self::Completed, StepOutcome::Refused) => Self::Undoing(Step::ChargePayment),
            (Self::Recalling { .. }, StepOutcome::Done) => Self::Undoing(Step::ChargePayment),
            (Self::Recalling { committed: true }, StepOutcome::Refused) => Self::Completed,
            (Self::Recalling { committed: false }, StepOutcome::Refused) => {
                Self::begin(Step::CommitStock)
            }
            (Self::Recalling { .. }, StepOutcome::Wrong) => stuck_undoing(Step::CreateShipment),
            // A late arrival that cannot be compensated.
            (Self::Undone, StepOutcome::Refused | StepOutcome::Wrong) => {
                stuck_undoing(Step::CreateShipment)
            }
            (same, _) => same,
        }
    }

    fn after_doing(step: Step, doubt: Doubt, outcome: StepOutcome) -> Self {
        match (outcome, doubt) {
            (StepOutcome::Done, _) => {
                let doubt = match doubt {
                    Doubt::StepAndLater => Doubt::StepAndLater,
                    Doubt::None | Doubt::Step => Doubt::None,
                };
                step.next()
                    .map_or(Self::Completed, |step| Self::Doing { step, doubt })
            }
            (StepOutcome::Unclear, Doubt::None) => Self::Doing {
                step,
                doubt: Doubt::Step,
            },
            (StepOutcome::Refused, Doubt::StepAndLater) => Self::Undoing(Step::CommitStock),
            (StepOutcome::Refused, Doubt::Step) => Self::Undoing(step),
            (StepOutcome::Refused, Doubt::None) if step == Step::ReserveStock => {
                Self::Undoing(step)
            }
            (StepOutcome::Refused, Doubt::None) => Self::undoing_before(step),
            // Reserve again; the later steps are found done.
            (StepOutcome::Lapsed, _) => Self::Doing {
                step: Step::ReserveStock,
                doubt: Doubt::StepAndLater,
            },
            (StepOutcome::Wrong, _) => Self::Stuck {
                step,
                undoing: false,
            },
            (StepOutcome::Unclear | StepOutcome::NotSent, _) => Self::Doing { step, doubt },
        }
    }

    fn undoing_before(step: Step) -> Self {
        step.previous().map_or(Self::Undone, Self::Undoing)
    }

    /// The position after a cancel request. `None` while a step is in doubt, because it must get its definite
    /// answer first, and where the saga is recalling, compensating, compensated or stuck.
    pub fn after_cancel_request(self) -> Option<Self> {
        match self {
            Self::Doing {
                doubt: Doubt::Step | Doubt::StepAndLater,
                ..
            } => None,
            Self::Doing {
                step: Step::CommitStock,
                ..
            } => Some(Self::Recalling { committed: false }),
            Self::Doing { step, .. } => Some(Self::Undoing(step.previous().unwrap_or(step))),
            Self::Completed => Some(Self::Recalling { committed: true }),
            Self::Recalling { .. } | Self::Undoing(_) | Self::Undone | Self::Stuck { .. } => None,
        }
    }

    /// The position of a new lease holder, whose predecessor did not release the lease, or of a worker
    /// whose progress updates are lost: this step and the later ones are in doubt.
    pub fn in_doubt(self) -> Self {
        match self {
            Self::Doing { step, .. } => Self::Doing {
                step,
                doubt: Doubt::StepAndLater,
            },
            same => same,
        }
    }

    /// Where a stuck saga continues when staff retry it; `None` when it is not stuck.
    pub fn after_retry(self) -> Option<Self> {
        match self {
            Self::Stuck {
                step,
                undoing: true,
            } => Some(Self::Undoing(step)),
            Self::Stuck {
                step,
                undoing: false,
            } => Some(Self::Doing {
                step,
                doubt: Doubt::StepAndLater,
            }),
            _ => None,
        }
    }

    /// Whether the saga has settled: the order is confirmed, is cancelled, or is stuck until staff decide.
    pub fn is_settled(self) -> bool {
        matches!(self, Self::Completed | Self::Undone | Self::Stuck { .. })
    }

    /// Whether the saga is compensating or has compensated.
    pub fn is_undoing(self) -> bool {
        matches!(self, Self::Undoing(_) | Self::Undone)
    }

    /// The phase of this position.
    pub fn phase(self) -> Phase {
        match self {
            Self::Doing { .. } => Phase::Doing,
            Self::Recalling { .. } => Phase::Recalling,
            Self::Undoing(_) => Phase::Undoing,
            Self::Completed => Phase::Completed,
            Self::Undone => Phase::Undone,
            Self::Stuck { .. } => Phase::Stuck,
        }
    }

    /// The direction and name of the operation at this position, as metrics and failpoints name them.
    pub fn operation(self) -> (&'static str, &'static str) {
        match self {
            Self::Doing { step, .. } => ("do", step.as_str()),
            Self::Undoing(step) => ("undo", step.as_str()),
            Self::Recalling { .. } => ("undo", Step::CreateShipment.as_str()),
            Self::Undone => ("undo", "sweep"),
            Self::Completed | Self::Stuck { .. } => ("do", "follow_shipment"),
        }
    }

    fn begin(step: Step) -> Self {
        Self::Doing {
            step,
            doubt: Doubt::None,
        }
    }
}

/// The phases of a saga, as the column `phase` stores them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Executes the steps.
    Doing,
    /// Recalls a parcel for a cancel request.
    Recalling,
    /// Compensates the steps.
    Undoing,
    /// The order is confirmed.
    Completed,
    /// The order is cancelled.
    Undone,
    /// Waits for a decision by staff.
    Stuck,
}

impl Phase {
    /// Every phase.
    pub const ALL: [Self; 6] = [
        Self::Doing,
        Self::Recalling,
        Self::Undoing,
        Self::Completed,
        Self::Undone,
        Self::Stuck,
    ];

    /// The phases in which work or a decision is left.
    pub const OPEN: [Self; 4] = [Self::Doing, Self::Recalling, Self::Undoing, Self::Stuck];

    /// The name in the database, in metrics and in answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Doing => "doing",
            Self::Recalling => "recalling",
            Self::Undoing => "undoing",
            Self::Completed => "completed",
            Self::Undone => "undone",
            Self::Stuck => "stuck",
        }
    }

    /// Parses a name; `None` when no phase has it.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|phase| phase.as_str() == name)
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests;
