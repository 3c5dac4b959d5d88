//! What does not agree between an order and a peer's ledger.

use crate::domain::ids::OrderId;
use crate::domain::step::Step;

/// What kind of discrepancy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Money was taken for an order that we do not have, or under another order's key.
    OrphanCharge,
    /// Money was taken twice for an order.
    DuplicateCharge,
    /// Another amount was taken than the order's total.
    AmountMismatch,
    /// Money was taken for an order that was called off or refunded, and did not go back.
    UnrefundedCharge,
    /// An order stands, and no money was taken.
    MissingCharge,
    /// A parcel of an order that we do not have, or made under another order's key.
    OrphanShipment,
    /// A second parcel of an order.
    DuplicateShipment,
    /// A parcel of an order that was called off.
    UncancelledShipment,
    /// An order stands, and has no parcel.
    MissingShipment,
    /// Stock is held for an order that we do not have.
    OrphanReservation,
    /// Stock is held for an order that needs it no longer.
    UnreleasedReservation,
}

impl Kind {
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

/// What could be done about a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// Nothing: the record is not provably ours.
    None,
    /// Take this charge or parcel back; the order stands.
    TakeBack,
    /// Sweep the order once more: it was called off.
    Sweep,
    /// A person has to look, at this step.
    Person(Step),
}

/// What became of a finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is mended: the ledgers agree.
    Repaired,
    /// The order is stuck until a person decides.
    HandedOver,
    /// It is as it was, for this reason.
    Left(String),
}

/// A discrepancy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What kind.
    pub kind: Kind,
    /// Of which order, by the peer's word.
    pub order_id: OrderId,
    /// The peer's number for the charge, the parcel or the reservation, where there is one.
    pub record_id: Option<String>,
    /// In words: one clean line.
    pub detail: String,
    /// What could be done about it.
    pub(super) remedy: Remedy,
    /// What became of it; `None` where nothing was to be done.
    pub outcome: Option<Outcome>,
}

impl Finding {
    pub(super) fn new(
        kind: Kind,
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

    /// Whether nothing is left to be done about it.
    pub fn is_repaired(&self) -> bool {
        self.outcome == Some(Outcome::Repaired)
    }
}
