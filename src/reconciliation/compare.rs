//! Compares a settled order with the peers' records of it, and derives the findings. Pure.

use rust_decimal::Decimal;

use crate::db::sagas::{OrderSnapshot, SagaSnapshot};
use crate::domain::saga::Phase;
use crate::domain::status::{PaymentStatus, ShippingStatus};
use crate::domain::step::Step;
use crate::peers::{PaymentRecord, PaymentRecordStatus, ReservationRecord, ShipmentRecord};
use crate::saga::CallKeys;

use super::finding::{Finding, FindingKind, Remedy};
use super::ownership::{Ownership, Period, orphan_charge, orphan_reservation, orphan_shipment};

/// Why a run skips an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SkipReason {
    /// The order was imported and has no saga.
    Imported,
    /// The saga runs, or changed within the grace period.
    UnderWay,
    /// The saga is stuck, so staff already have to decide.
    Stuck,
    /// Staff have settled the order, which the peers may not know.
    SettledByStaff,
}

/// An order whose saga has ended, so that the peers' records can be compared with it.
#[derive(Debug)]
pub(super) struct SettledOrder<'a> {
    order: &'a OrderSnapshot,
    saga: &'a SagaSnapshot,
    keys: CallKeys,
    /// Whether the saga completed. Otherwise the order was cancelled and compensated.
    completed: bool,
    period: Period,
}

impl<'a> SettledOrder<'a> {
    /// Accepts an order whose saga has ended before the grace period.
    pub fn of(order: &'a OrderSnapshot, period: Period) -> Result<Self, SkipReason> {
        let saga = order.saga.as_ref().ok_or(SkipReason::Imported)?;
        let completed = match saga.phase {
            Phase::Completed => true,
            Phase::Undone => false,
            Phase::Stuck => return Err(SkipReason::Stuck),
            _ => return Err(SkipReason::UnderWay),
        };
        if saga.has_open_work || saga.since > period.until {
            return Err(SkipReason::UnderWay);
        }
        if saga.is_manually_resolved {
            return Err(SkipReason::SettledByStaff);
        }
        Ok(Self {
            order,
            saga,
            keys: CallKeys::of_reservation(saga.identity, saga.lapsed),
            completed,
            period,
        })
    }

    /// The idempotency keys of the order's calls.
    pub fn keys(&self) -> &CallKeys {
        &self.keys
    }

    /// The discrepancies between the order and all its payments.
    pub fn charge_findings(&self, records: &[PaymentRecord]) -> Vec<Finding> {
        let mut findings = Vec::new();
        let mut ours = Vec::new();
        for record in records.iter().filter(|record| may_be_charged(record)) {
            match Ownership::of_charge(self.order, self.saga, record) {
                Ownership::Foreign => {
                    findings.extend(orphan_charge(self.order, record, self.period));
                }
                ownership => ours.push((record, ownership)),
            }
        }
        let is_paid = self.order.payment_status == PaymentStatus::Paid;
        if self.completed && is_paid && ours.is_empty() {
            let detail = format!("no charge of {} at Payment", self.order.order_total);
            let remedy = Remedy::StaffDecision(Step::ChargePayment);
            findings.push(self.finding(FindingKind::MissingCharge, None, detail, remedy));
        }
        // An open charge is neither missing nor surplus, because Payment may still take it.
        ours.retain(|(record, _)| {
            record.status == PaymentRecordStatus::Taken
                && self.period.is_old_enough(record.created_at)
        });
        if !self.completed || self.order.payment_status == PaymentStatus::Refunded {
            let unrefunded = ours
                .iter()
                .map(|(record, ownership)| self.unrefunded_charge(record, *ownership));
            findings.extend(unrefunded);
        } else if is_paid {
            findings.extend(self.surplus_charges(&ours));
        }
        findings
    }

    /// Compares the charges of a paid order. One charge counts: the one that the saga knows, otherwise
    /// the oldest. The others are duplicates.
    fn surplus_charges(&self, ours: &[(&PaymentRecord, Ownership)]) -> Vec<Finding> {
        let known = |(record, _): &&(&PaymentRecord, Ownership)| {
            self.saga.payment_id.as_ref() == Some(&record.payment_id)
        };
        let Some((valid, _)) = ours.iter().find(known).or(ours.last()) else {
            return Vec::new();
        };
        let mut findings = Vec::new();
        for (record, ownership) in ours {
            let id = Some(&*record.payment_id);
            if record.payment_id != valid.payment_id {
                let detail = format!("beside charge {}", valid.payment_id);
                let remedy = match ownership {
                    Ownership::Proven if self.is_total(record.amount) => Remedy::RemoveSurplus,
                    Ownership::Proven => Remedy::StaffDecision(Step::ChargePayment),
                    _ => Remedy::None,
                };
                findings.push(self.finding(FindingKind::DuplicateCharge, id, detail, remedy));
            } else if !self.is_total(record.amount) {
                let taken = record.amount.unwrap_or_default();
                let detail = format!("{taken} taken, the total is {}", self.order.order_total);
                let remedy = match ownership {
                    Ownership::Proven => Remedy::StaffDecision(Step::ChargePayment),
                    _ => Remedy::None,
                };
                findings.push(self.finding(FindingKind::AmountMismatch, id, detail, remedy));
            }
        }
        findings
    }

    fn unrefunded_charge(&self, record: &PaymentRecord, ownership: Ownership) -> Finding {
        let amount = record.amount.unwrap_or(self.order.order_total.decimal());
        let detail = format!("{amount} not refunded");
        let remedy = match ownership {
            Ownership::Proven if !self.completed && self.is_total(record.amount) => {
                Remedy::LateArrivalCheck
            }
            Ownership::Proven => Remedy::StaffDecision(Step::ChargePayment),
            _ => Remedy::None,
        };
        let id = Some(&*record.payment_id);
        self.finding(FindingKind::UnrefundedCharge, id, detail, remedy)
    }

    /// The discrepancies between the order and all its shipments, which come newest first.
    pub fn shipment_findings(&self, records: &[ShipmentRecord]) -> Vec<Finding> {
        use ShippingStatus::{Cancelled, Returned};
        let mut findings = Vec::new();
        let mut ours = Vec::new();
        for record in records {
            match Ownership::of_shipment(self.order, self.saga, record) {
                Ownership::Foreign => {
                    findings.extend(orphan_shipment(self.order, record, self.period));
                }
                ownership => ours.push((record, ownership)),
            }
        }
        let was_sent = |(record, _): &(&ShipmentRecord, Ownership)| {
            record.status.shipping_status() != Some(Cancelled)
        };
        let is_expected = !matches!(self.order.shipping_status, Cancelled | Returned);
        if self.completed && is_expected && !ours.iter().any(was_sent) {
            let detail = "no parcel at Shipping that was not cancelled";
            let remedy = Remedy::StaffDecision(Step::CreateShipment);
            findings.push(self.finding(FindingKind::MissingShipment, None, detail, remedy));
        }
        ours.retain(|(record, _)| record.is_live() && self.period.is_old_enough(record.created_at));
        findings.extend(self.surplus_shipments(&ours));
        findings
    }

    /// Compares the live shipments. At most one counts, and only if the saga completed: the one that
    /// the saga knows, otherwise the oldest.
    fn surplus_shipments(&self, ours: &[(&ShipmentRecord, Ownership)]) -> Vec<Finding> {
        let known = |(record, _): &&(&ShipmentRecord, Ownership)| {
            self.saga.shipment_id.as_ref() == Some(&record.shipment_id)
        };
        let valid = ours.iter().find(known).or(ours.last());
        let valid = valid.filter(|_| self.completed);
        let (kind, remedy) = match self.completed {
            true => (FindingKind::DuplicateShipment, Remedy::RemoveSurplus),
            false => (FindingKind::UncancelledShipment, Remedy::LateArrivalCheck),
        };
        let surplus = ours.iter().filter(|(record, _)| {
            valid.is_none_or(|(valid, _)| valid.shipment_id != record.shipment_id)
        });
        surplus
            .map(|(record, ownership)| {
                let remedy = match ownership {
                    Ownership::Proven => remedy,
                    _ => Remedy::None,
                };
                let detail = format!("it is {}", record.status);
                self.finding(kind, Some(&record.shipment_id), detail, remedy)
            })
            .collect()
    }

    /// The discrepancy of a reservation: a settled order needs none.
    pub fn reservation_finding(&self, record: &ReservationRecord) -> Option<Finding> {
        if !record.is_held || !self.period.is_old_enough(record.created_at) {
            return None;
        }
        let Some(index) = reservation_ids(self.saga).position(|id| id == record.reservation_id)
        else {
            return orphan_reservation(self.order.order_id, record, self.period);
        };
        let is_current = index == usize::try_from(self.saga.lapsed).unwrap_or_default();
        let remedy = if !self.completed && is_current {
            Remedy::LateArrivalCheck
        } else {
            Remedy::StaffDecision(Step::ReserveStock)
        };
        let id = Some(&*record.reservation_id);
        let detail = "its stock is still set aside";
        Some(self.finding(FindingKind::UnreleasedReservation, id, detail, remedy))
    }

    /// Whether an amount is the order's total, or unknown.
    fn is_total(&self, amount: Option<Decimal>) -> bool {
        amount.is_none_or(|amount| amount == self.order.order_total.decimal())
    }

    fn finding(
        &self,
        kind: FindingKind,
        record_id: Option<&str>,
        detail: impl Into<String>,
        remedy: Remedy,
    ) -> Finding {
        Finding::new(kind, self.order.order_id, record_id, detail, remedy)
    }
}

/// The ids of the order's reservations, the lapsed ones first.
fn reservation_ids(saga: &SagaSnapshot) -> impl Iterator<Item = String> + use<> {
    let identity = saga.identity;
    (0..=saga.lapsed).map(move |lapsed| CallKeys::of_reservation(identity, lapsed).reservation_id)
}

/// Whether the customer was charged, or may still be.
fn may_be_charged(record: &PaymentRecord) -> bool {
    matches!(
        record.status,
        PaymentRecordStatus::Taken | PaymentRecordStatus::Other
    )
}

#[cfg(test)]
mod tests;
