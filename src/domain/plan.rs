//! The policy of fulfilment: what comes next once something has ended. A pure value; the loop in
//! `fulfilment` only executes it.

use std::fmt;

/// A step of fulfilment, in the order in which steps are done. They are undone in reverse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// Inventory holds the lines.
    ReserveStock,
    /// Payment takes the total.
    ChargePayment,
    /// Shipping takes the parcel on.
    CreateShipment,
    /// Inventory hands the lines out.
    CommitStock,
}

impl Step {
    /// Every step, first to last.
    pub const ALL: [Self; 4] = [
        Self::ReserveStock,
        Self::ChargePayment,
        Self::CreateShipment,
        Self::CommitStock,
    ];

    /// The name in the database, in metrics and in the keys sent to peers.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ReserveStock => "reserve_stock",
            Self::ChargePayment => "charge_payment",
            Self::CreateShipment => "create_shipment",
            Self::CommitStock => "commit_stock",
        }
    }

    /// Reads a name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|step| step.as_str() == name)
    }

    fn next(self) -> Option<Self> {
        match self {
            Self::ReserveStock => Some(Self::ChargePayment),
            Self::ChargePayment => Some(Self::CreateShipment),
            Self::CreateShipment => Some(Self::CommitStock),
            Self::CommitStock => None,
        }
    }

    fn previous(self) -> Option<Self> {
        match self {
            Self::ReserveStock => None,
            Self::ChargePayment => Some(Self::ReserveStock),
            Self::CreateShipment => Some(Self::ChargePayment),
            Self::CommitStock => Some(Self::CreateShipment),
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How an attempt at a step ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The peer said yes.
    Done,
    /// The peer said a definite no.
    Refused,
    /// The peer said no because what it had promised before has lapsed meanwhile.
    Lapsed,
    /// Nobody can say: no answer, or none that can be trusted. Ask again, with the same key.
    Unclear,
    /// This attempt has certainly not reached the peer; an earlier one may have.
    NotSent,
    /// The peer did something else than what was asked. A person has to look.
    Wrong,
}

/// What may have been sent to peers without anybody knowing how it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Doubt {
    /// Nothing.
    None,
    /// The step that is to be done.
    Step,
    /// That step, and any later one: whoever did them died, and what they wrote down last may be
    /// lost.
    Rest,
}

/// Where the fulfilment of an order stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Plan {
    /// A step is to be done.
    Doing {
        /// Which.
        step: Step,
        /// What may have been sent before.
        doubt: Doubt,
    },
    /// A cancel was asked for when the parcel was announced already: call it back, and only then
    /// call the order off.
    Recalling {
        /// Whether the stock had been handed out, that is, the order was confirmed.
        committed: bool,
    },
    /// A step is to be undone.
    Undoing(Step),
    /// Everything is done; the parcel is followed.
    Completed,
    /// Everything is undone.
    Undone,
    /// A person has to look.
    Stuck {
        /// Where it stands.
        step: Step,
        /// Whether the step was being undone.
        undoing: bool,
    },
}

impl Plan {
    /// Where every order starts.
    pub const START: Self = Self::Doing {
        step: Step::ReserveStock,
        doubt: Doubt::None,
    };

    /// Where the plan goes once an attempt has ended.
    ///
    /// What may have been executed before it was refused is undone as well; a refused reservation
    /// may hold the lines it took before it failed.
    pub fn after(self, outcome: Outcome) -> Self {
        match (self, outcome) {
            (same, Outcome::NotSent) => same,
            (Self::Doing { step, doubt }, Outcome::Done) => {
                let doubt = if doubt == Doubt::Rest {
                    Doubt::Rest
                } else {
                    Doubt::None
                };
                step.next()
                    .map_or(Self::Completed, |step| Self::Doing { step, doubt })
            }
            (
                Self::Doing {
                    step,
                    doubt: Doubt::None,
                },
                Outcome::Unclear,
            ) => Self::Doing {
                step,
                doubt: Doubt::Step,
            },
            (
                Self::Doing {
                    doubt: Doubt::Rest, ..
                },
                Outcome::Refused,
            ) => Self::Undoing(Step::CommitStock),
            (
                Self::Doing {
                    step,
                    doubt: Doubt::Step,
                },
                Outcome::Refused,
            )
            | (
                Self::Doing {
                    step: step @ Step::ReserveStock,
                    ..
                },
                Outcome::Refused,
            ) => Self::Undoing(step),
            (Self::Doing { step, .. }, Outcome::Refused) | (Self::Undoing(step), Outcome::Done) => {
                step.previous().map_or(Self::Undone, Self::Undoing)
            }
            // Reserve anew; what was done since then is found done.
            (Self::Doing { .. }, Outcome::Lapsed) => Self::Doing {
                step: Step::ReserveStock,
                doubt: Doubt::Rest,
            },
            // The carrier has given the parcel up.
            (Self::Completed, Outcome::Refused) => Self::Undoing(Step::ChargePayment),
            (Self::Recalling { .. }, Outcome::Done) => Self::Undoing(Step::ChargePayment),
            (Self::Recalling { committed: true }, Outcome::Refused) => Self::Completed,
            (Self::Recalling { committed: false }, Outcome::Refused) => {
                Self::begin(Step::CommitStock)
            }
            (Self::Doing { step, .. }, Outcome::Wrong) => Self::Stuck {
                step,
                undoing: false,
            },
            (Self::Recalling { .. }, Outcome::Wrong) => Self::Stuck {
                step: Step::CreateShipment,
                undoing: true,
            },
            (Self::Undoing(step), Outcome::Refused | Outcome::Wrong) => Self::Stuck {
                step,
                undoing: true,
            },
            // Something arrived after everything had been undone, and cannot be undone itself.
            (Self::Undone, Outcome::Refused | Outcome::Wrong) => Self::Stuck {
                step: Step::CreateShipment,
                undoing: true,
            },
            (same, _) => same,
        }
    }

    /// Where a cancel leads from here, or `None` while this is no safe point: a step whose outcome
    /// is open must get its answer first.
    pub fn cancelled(self) -> Option<Self> {
        match self {
            Self::Doing {
                doubt: Doubt::Step | Doubt::Rest,
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

    /// The plan of somebody who takes over from a worker that never reported back, or finds that what it
    /// wrote down itself is lost.
    pub fn taken_over(self) -> Self {
        match self {
            Self::Doing { step, .. } => Self::Doing {
                step,
                doubt: Doubt::Rest,
            },
            same => same,
        }
    }

    /// Where a fulfilment that waits for a person goes on when it is to be tried again; `None` when it
    /// does not wait for a person.
    pub fn retried(self) -> Option<Self> {
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
                doubt: Doubt::Rest,
            }),
            _ => None,
        }
    }

    /// Whether the order waits for nobody: it stands, it is called off, or a person has to look.
    pub fn is_at_rest(self) -> bool {
        matches!(self, Self::Completed | Self::Undone | Self::Stuck { .. })
    }

    /// Whether what was done is being undone.
    pub fn is_undoing(self) -> bool {
        matches!(self, Self::Undoing(_) | Self::Undone)
    }

    fn begin(step: Step) -> Self {
        Self::Doing {
            step,
            doubt: Doubt::None,
        }
    }
}

#[cfg(test)]
mod tests;
