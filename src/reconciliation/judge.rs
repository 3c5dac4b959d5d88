//! What an order and the peers' records of it mean side by side: pure.

use rust_decimal::Decimal;
use time::OffsetDateTime;

use crate::db::sagas::{OrderSnapshot, SagaSnapshot};
use crate::domain::ids::OrderId;
use crate::domain::saga::Phase;
use crate::domain::status::{PaymentStatus, ShippingStatus};
use crate::domain::step::Step;
use crate::peers::{PaymentRecord, PaymentRecordStatus, ReservationRecord, ShipmentRecord};
use crate::saga::{CallKeys, may_be_ours};

use super::finding::{Finding, Kind, Remedy};

/// Between which moments a record must have been made to be looked at. One that does not say when it
/// was made is looked at.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    pub since: OffsetDateTime,
    /// Now, less the grace.
    pub until: OffsetDateTime,
}

impl Window {
    /// Whether a record was made in the period.
    pub fn has(&self, made: Option<OffsetDateTime>) -> bool {
        made.is_none_or(|made| made >= self.since) && self.is_old(made)
    }

    /// Whether a record is old enough to be judged.
    pub fn is_old(&self, made: Option<OffsetDateTime>) -> bool {
        made.is_none_or(|made| made <= self.until)
    }
}

/// Why an order is not compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Skipped {
    /// It was taken over from elsewhere.
    Imported,
    /// Something is still to be done, or was until a moment ago.
    UnderWay,
    /// A person has to look already.
    WithPerson,
    /// A person has settled it, of which the peers may know nothing.
    ByHand,
}

/// An order at rest, by which records can be judged.
#[derive(Debug)]
pub(super) struct Rested<'a> {
    order: &'a OrderSnapshot,
    saga: &'a SagaSnapshot,
    keys: CallKeys,
    /// Whether the order stands; else it was called off.
    stands: bool,
    window: Window,
}

/// Whose a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owner {
    /// Made under the order's key, or known by its number.
    Ours,
    /// Nothing says otherwise, and nothing proves it.
    Perhaps,
    /// Another order's, as of an earlier life of the database.
    Foreign,
}

impl<'a> Rested<'a> {
    /// Takes an order that rests.
    pub fn of(order: &'a OrderSnapshot, window: Window) -> Result<Self, Skipped> {
        let saga = order.saga.as_ref().ok_or(Skipped::Imported)?;
        let stands = match saga.phase {
            Phase::Completed => true,
            Phase::Undone => false,
            Phase::Stuck => return Err(Skipped::WithPerson),
            _ => return Err(Skipped::UnderWay),
        };
        if saga.has_open_work || saga.since > window.until {
            return Err(Skipped::UnderWay);
        }
        if saga.settled_by_hand {
            return Err(Skipped::ByHand);
        }
        Ok(Self {
            order,
            saga,
            keys: CallKeys::of_reservation(saga.identity, saga.lapsed),
            stands,
            window,
        })
    }

    /// The keys of its calls.
    pub fn keys(&self) -> &CallKeys {
        &self.keys
    }

    /// What does not agree between the order and all its payments.
    pub fn charges(&self, records: &[PaymentRecord]) -> Vec<Finding> {
        let mut found = Vec::new();
        let mut ours = Vec::new();
        for record in records.iter().filter(|record| may_stand(record)) {
            match self.owner_of_charge(record) {
                Owner::Foreign => found.extend(orphan_charge(self.order, record, self.window)),
                owner => ours.push((record, owner)),
            }
        }
        let is_paid = self.order.payment_status == PaymentStatus::Paid;
        if self.stands && is_paid && ours.is_empty() {
            let detail = format!("no charge of {} at Payment", self.order.order_total);
            let remedy = Remedy::Person(Step::ChargePayment);
            found.push(self.finding(Kind::MissingCharge, None, detail, remedy));
        }
        // What is open may be taken yet, or not: nobody can say.
        ours.retain(|(record, _)| {
            record.status == PaymentRecordStatus::Taken && self.window.is_old(record.created_at)
        });
        if !self.stands || self.order.payment_status == PaymentStatus::Refunded {
            let unrefunded = ours
                .iter()
                .map(|(record, owner)| self.unrefunded(record, *owner));
            found.extend(unrefunded);
        } else if is_paid {
            found.extend(self.charges_of_standing(&ours));
        }
        found
    }

    /// One charge counts: the one that the order knows, else the oldest. The others are too many.
    fn charges_of_standing(&self, ours: &[(&PaymentRecord, Owner)]) -> Vec<Finding> {
        let known = |(record, _): &&(&PaymentRecord, Owner)| self.is_known_charge(record);
        let Some(counts) = ours.iter().find(known).or(ours.last()) else {
            return Vec::new();
        };
        let mut found = Vec::new();
        for (record, owner) in ours {
            let id = Some(&*record.payment_id);
            if record.payment_id != counts.0.payment_id {
                let detail = format!("beside charge {}", counts.0.payment_id);
                let remedy = match owner {
                    Owner::Ours if self.is_whole(record.amount) => Remedy::TakeBack,
                    Owner::Ours => Remedy::Person(Step::ChargePayment),
                    _ => Remedy::None,
                };
                found.push(self.finding(Kind::DuplicateCharge, id, detail, remedy));
            } else if !self.is_whole(record.amount) {
                let taken = record.amount.unwrap_or_default();
                let detail = format!("{taken} taken, the total is {}", self.order.order_total);
                let remedy = match owner {
                    Owner::Ours => Remedy::Person(Step::ChargePayment),
                    _ => Remedy::None,
                };
                found.push(self.finding(Kind::AmountMismatch, id, detail, remedy));
            }
        }
        found
    }

    fn unrefunded(&self, record: &PaymentRecord, owner: Owner) -> Finding {
        let amount = record.amount.unwrap_or(self.order.order_total.decimal());
        let detail = format!("{amount} not given back");
        let remedy = match owner {
            Owner::Ours if !self.stands && self.is_whole(record.amount) => Remedy::Sweep,
            Owner::Ours => Remedy::Person(Step::ChargePayment),
            _ => Remedy::None,
        };
        let id = Some(&*record.payment_id);
        self.finding(Kind::UnrefundedCharge, id, detail, remedy)
    }

    /// What does not agree between the order and all its parcels, newest first.
    pub fn shipments(&self, records: &[ShipmentRecord]) -> Vec<Finding> {
        use ShippingStatus::{Cancelled, Returned};
        let mut found = Vec::new();
        let mut ours = Vec::new();
        for record in records {
            match self.owner_of_parcel(record) {
                Owner::Foreign => found.extend(orphan_shipment(self.order, record, self.window)),
                owner => ours.push((record, owner)),
            }
        }
        let was_sent = |(record, _): &(&ShipmentRecord, Owner)| {
            record.status.shipping_status() != Some(Cancelled)
        };
        let is_expected = !matches!(self.order.shipping_status, Cancelled | Returned);
        if self.stands && is_expected && !ours.iter().any(was_sent) {
            let detail = "no parcel at Shipping that was not cancelled";
            let remedy = Remedy::Person(Step::CreateShipment);
            found.push(self.finding(Kind::MissingShipment, None, detail, remedy));
        }
        ours.retain(|(record, _)| record.is_live() && self.window.is_old(record.created_at));
        let known = |(record, _): &&(&ShipmentRecord, Owner)| self.is_known_parcel(record);
        let counts = ours.iter().find(known).or(ours.last());
        for (record, owner) in &ours {
            let (kind, remedy) = if !self.stands {
                (Kind::UncancelledShipment, Remedy::Sweep)
            } else if counts.is_some_and(|(counts, _)| counts.shipment_id != record.shipment_id) {
                (Kind::DuplicateShipment, Remedy::TakeBack)
            } else {
                continue;
            };
            let remedy = match owner {
                Owner::Ours => remedy,
                _ => Remedy::None,
            };
            let detail = format!("it is {}", record.status);
            found.push(self.finding(kind, Some(&record.shipment_id), detail, remedy));
        }
        found
    }

    /// What is wrong with a reservation, of which the order at rest needs none any more.
    pub fn reservation(&self, record: &ReservationRecord) -> Option<Finding> {
        if !record.is_held || !self.window.is_old(record.created_at) {
            return None;
        }
        let Some(ours) =
            reservation_numbers(self.saga).position(|number| number == record.reservation_id)
        else {
            return orphan_reservation(self.order.order_id, record, self.window);
        };
        let is_current = ours == usize::try_from(self.saga.lapsed).unwrap_or_default();
        let remedy = if !self.stands && is_current {
            Remedy::Sweep
        } else {
            Remedy::Person(Step::ReserveStock)
        };
        let id = Some(&*record.reservation_id);
        let detail = "its stock is still set aside";
        Some(self.finding(Kind::UnreleasedReservation, id, detail, remedy))
    }

    fn owner_of_charge(&self, record: &PaymentRecord) -> Owner {
        match self.is_known_charge(record) {
            true => Owner::Ours,
            false => owner_of_charge(self.order, self.saga, record),
        }
    }

    fn owner_of_parcel(&self, record: &ShipmentRecord) -> Owner {
        match self.is_known_parcel(record) {
            true => Owner::Ours,
            false => owner_of_parcel(self.order, self.saga, record),
        }
    }

    fn is_known_charge(&self, record: &PaymentRecord) -> bool {
        self.saga.payment_id.as_ref() == Some(&record.payment_id)
    }

    fn is_known_parcel(&self, record: &ShipmentRecord) -> bool {
        self.saga.shipment_id.as_ref() == Some(&record.shipment_id)
    }

    /// Whether an amount is the order's total, or not told.
    fn is_whole(&self, amount: Option<Decimal>) -> bool {
        amount.is_none_or(|amount| amount == self.order.order_total.decimal())
    }

    fn finding(
        &self,
        kind: Kind,
        record_id: Option<&str>,
        detail: impl Into<String>,
        remedy: Remedy,
    ) -> Finding {
        Finding::new(kind, self.order.order_id, record_id, detail, remedy)
    }
}

/// A charge that was taken for an order, under a key that is not this order's.
pub(super) fn orphan_charge(
    order: &OrderSnapshot,
    record: &PaymentRecord,
    window: Window,
) -> Option<Finding> {
    let saga = order.saga.as_ref()?;
    let is_known = saga.payment_id.as_ref() == Some(&record.payment_id);
    let is_foreign = !is_known && owner_of_charge(order, saga, record) == Owner::Foreign;
    let found = charge_without_order(order.order_id, record, window)?;
    is_foreign.then(|| Finding {
        detail: format!("{}, not under the key of this order", found.detail),
        ..found
    })
}

/// A charge that was taken for an order that we do not have.
pub(super) fn charge_without_order(
    order_id: OrderId,
    record: &PaymentRecord,
    window: Window,
) -> Option<Finding> {
    let is_live = record.status == PaymentRecordStatus::Taken && window.has(record.created_at);
    let amount = record
        .amount
        .map_or("an unknown amount".to_owned(), |amount| amount.to_string());
    is_live.then(|| {
        let id = Some(&*record.payment_id);
        let detail = format!("{amount} taken");
        Finding::new(Kind::OrphanCharge, order_id, id, detail, Remedy::None)
    })
}

/// A parcel of an order, made under a key that is not this order's.
pub(super) fn orphan_shipment(
    order: &OrderSnapshot,
    record: &ShipmentRecord,
    window: Window,
) -> Option<Finding> {
    let saga = order.saga.as_ref()?;
    let is_known = saga.shipment_id.as_ref() == Some(&record.shipment_id);
    let is_foreign = !is_known && owner_of_parcel(order, saga, record) == Owner::Foreign;
    let found = shipment_without_order(order.order_id, record, window)?;
    is_foreign.then(|| Finding {
        detail: format!("{}, not under the key of this order", found.detail),
        ..found
    })
}

/// A parcel of an order that we do not have.
pub(super) fn shipment_without_order(
    order_id: OrderId,
    record: &ShipmentRecord,
    window: Window,
) -> Option<Finding> {
    let is_live = record.is_live() && window.has(record.created_at);
    is_live.then(|| {
        let id = Some(&*record.shipment_id);
        let detail = format!("it is {}", record.status);
        Finding::new(Kind::OrphanShipment, order_id, id, detail, Remedy::None)
    })
}

/// Stock that is held under a number that is not the order's, or of an order that we do not have.
pub(super) fn orphan_reservation(
    order_id: OrderId,
    record: &ReservationRecord,
    window: Window,
) -> Option<Finding> {
    let is_held = record.is_held && window.has(record.created_at);
    is_held.then(|| {
        let id = Some(&*record.reservation_id);
        let detail = "its stock is set aside";
        Finding::new(Kind::OrphanReservation, order_id, id, detail, Remedy::None)
    })
}

/// The numbers under which an order may have reserved, in the order in which they lapsed.
fn reservation_numbers(saga: &SagaSnapshot) -> impl Iterator<Item = String> + use<> {
    let identity = saga.identity;
    (0..=saga.lapsed).map(move |lapsed| CallKeys::of_reservation(identity, lapsed).reservation_id)
}

fn owner_of_charge(order: &OrderSnapshot, saga: &SagaSnapshot, record: &PaymentRecord) -> Owner {
    let key = record.idempotency_key.as_deref();
    owner(order, saga, "charge_payment", key, record.created_at)
}

fn owner_of_parcel(order: &OrderSnapshot, saga: &SagaSnapshot, record: &ShipmentRecord) -> Owner {
    let key = record.idempotency_key.as_deref();
    owner(order, saga, "create_shipment", key, record.created_at)
}

fn owner(
    order: &OrderSnapshot,
    saga: &SagaSnapshot,
    operation: &str,
    key: Option<&str>,
    made: Option<OffsetDateTime>,
) -> Owner {
    let our_key = CallKeys::of_reservation(saga.identity, saga.lapsed).key(operation);
    match (may_be_ours(order.created_at, &our_key, key, made), key) {
        (false, _) => Owner::Foreign,
        (true, Some(_)) => Owner::Ours,
        (true, None) => Owner::Perhaps,
    }
}

/// Whether a charge was taken, or may yet be.
fn may_stand(record: &PaymentRecord) -> bool {
    matches!(
        record.status,
        PaymentRecordStatus::Taken | PaymentRecordStatus::Other
    )
}

#[cfg(test)]
mod tests;
