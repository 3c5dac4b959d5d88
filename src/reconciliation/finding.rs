//! A reconciliation finding: a discrepancy between an order and a peer's ledger.

use crate::domain::ids::OrderId;
use crate::domain::step::Step;

/// The kind of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FindingKind {
    /// A charge of an order that does not exist, or under another order's idempotency key.
    OrphanCharge,
    /// A second charge of an order.
    DuplicateCharge,
    /// A charge of another amount than the order's total.
    AmountMismatch,
    /// A charge of a cancelled or refunded order that was not refunded.
    UnrefundedCharge,
    /// A paid order without a charge.
    MissingCharge,
    /// A shipment of an order that does not exist, or under another order's idempotency key.
    OrphanShipment,
    /// A second shipment of an order.
    DuplicateShipment,
    /// A shipment of a cancelled order.
    UncancelledShipment,
    /// A completed order without a shipment.
    MissingShipment,
    /// A reservation for an order that does not exist, or under an unknown id.
    OrphanReservation,
    /// A reservation that the order needs no longer.
    UnreleasedReservation,
}

impl FindingKind {
    /// Every kind.
    pub const ALL: [Self; 11] = [
        Self::OrphanCharge,
        Self::DuplicateCharge,
        Self::AmountMismatch,
        Self::UnrefundedCharge,
        Self::MissingCharge,
        Self::OrphanShipment,
        Self::DuplicateShipment,
        Self::UncancelledShipment,
        Self::MissingShipment,
        Self::OrphanReservation,
        Self::UnreleasedReservation,
    ];

    /// The name in reports, metrics and events.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OrphanCharge => "orphan_charge",
            Self::DuplicateCharge => "duplicate_charge",
            Self::AmountMismatch => "amount_mismatch",
            Self::UnrefundedCharge => "unrefunded_charge",
            Self::MissingCharge => "missing_charge",
            Self::OrphanShipment => "orphan_shipment",
            Self::DuplicateShipment => "duplicate_shipment",
            Self::UncancelledShipment => "uncancelled_shipment",
            Self::MissingShipment => "missing_shipment",
            Self::OrphanReservation => "orphan_reservation",
            Self::UnreleasedReservation => "unreleased_reservation",
        }
    }
}

/// How a finding can be repaired.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// Not at all: nothing proves that the record belongs to our order.
    None,
    /// Refund or cancel this surplus record; the order keeps its own.
    RemoveSurplus,
    /// Run the late-arrival check of the cancelled order again.
    LateArrivalCheck,
    /// Staff decide about this step.
    StaffDecision(Step),
}

/// The result of a repair.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RepairOutcome {
    /// Order and ledger agree now.
    Repaired,
    /// The saga is stuck until staff decide.
    HandedOver,
    /// The discrepancy remains, for this reason.
    Left(String),
}

/// A discrepancy between an order and a peer's ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The kind of the discrepancy.
    pub kind: FindingKind,
    /// The order that the peer's record names.
    pub order_id: OrderId,
    /// The id of the charge, shipment or reservation, if there is one.
    pub record_id: Option<String>,
    /// A description of one clean line.
    pub detail: String,
    /// The possible repair.
    pub(super) remedy: Remedy,
    /// The result of the repair; `None` if the run does not repair.
    pub outcome: Option<RepairOutcome>,
}

impl Finding {
    pub(super) fn new(
        kind: FindingKind,
        order_id: OrderId,
        record_id: Option<&str>,
        detail: impl Into<String>,
        remedy: Remedy,
    ) -> Self {
        Self {
            kind,
            order_id,
            record_id: record_id.map(str::to_owned),
            detail: detail.into(),
            remedy,
            outcome: None,
        }
    }

    /// Whether order and ledger agree now.
    pub fn is_repaired(&self) -> bool {
        self.outcome == Some(RepairOutcome::Repaired)
    }
}
