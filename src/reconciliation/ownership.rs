//! Decides whether a peer's record belongs to one of our orders, and reports records that do not: orphans,
//! as they remain after the database was restored to an earlier state. Pure.

use time::OffsetDateTime;

use crate::db::sagas::{OrderSnapshot, SagaSnapshot};
use crate::domain::ids::OrderId;
use crate::peers::{PaymentRecord, PaymentRecordStatus, ReservationRecord, ShipmentRecord};
use crate::saga::{CallKeys, may_be_ours};

use super::finding::{Finding, FindingKind, Remedy};

/// The period that a run compares. A record without a time counts as within it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Period {
    pub since: OffsetDateTime,
    /// At most now, less the grace period.
    pub until: OffsetDateTime,
}

impl Period {
    /// Whether a record was made within the period.
    pub fn contains(&self, created_at: Option<OffsetDateTime>) -> bool {
        created_at.is_none_or(|at| at >= self.since) && self.is_old_enough(created_at)
    }

    /// Whether a record is older than the grace period.
    pub fn is_old_enough(&self, created_at: Option<OffsetDateTime>) -> bool {
        created_at.is_none_or(|at| at <= self.until)
    }
}

/// Whether a record belongs to the order that it names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ownership {
    /// Its idempotency key, or its id, is the order's.
    Proven,
    /// Nothing contradicts it, and nothing proves it.
    Possible,
    /// It belongs to another order, for example one of the same id before a restore of the database.
    Foreign,
}

impl Ownership {
    /// The ownership of a charge that names the order.
    pub fn of_charge(order: &OrderSnapshot, saga: &SagaSnapshot, record: &PaymentRecord) -> Self {
        if saga.payment_id.as_ref() == Some(&record.payment_id) {
            return Self::Proven;
        }
        let key = record.idempotency_key.as_deref();
        Self::by_key(order, saga, "charge_payment", key, record.created_at)
    }

    /// The ownership of a shipment that names the order.
    pub fn of_shipment(
        order: &OrderSnapshot,
        saga: &SagaSnapshot,
        record: &ShipmentRecord,
    ) -> Self {
        if saga.shipment_id.as_ref() == Some(&record.shipment_id) {
            return Self::Proven;
        }
        let key = record.idempotency_key.as_deref();
        Self::by_key(order, saga, "create_shipment", key, record.created_at)
    }

    fn by_key(
        order: &OrderSnapshot,
        saga: &SagaSnapshot,
        operation: &str,
        key: Option<&str>,
        created_at: Option<OffsetDateTime>,
    ) -> Self {
        let our_key = CallKeys::of_reservation(saga.identity, saga.lapsed).key(operation);
        match (
            may_be_ours(order.created_at, &our_key, key, created_at),
            key,
        ) {
            (false, _) => Self::Foreign,
            (true, Some(_)) => Self::Proven,
            (true, None) => Self::Possible,
        }
    }
}

/// Reports a charge that names the order, but belongs to another one.
pub(super) fn orphan_charge(
    order: &OrderSnapshot,
    record: &PaymentRecord,
    period: Period,
) -> Option<Finding> {
    let saga = order.saga.as_ref()?;
    let is_foreign = Ownership::of_charge(order, saga, record) == Ownership::Foreign;
    let finding = charge_without_order(order.order_id, record, period)?;
    is_foreign.then(|| with_foreign_key(finding))
}

/// Reports a charge of an order that does not exist.
pub(super) fn charge_without_order(
    order_id: OrderId,
    record: &PaymentRecord,
    period: Period,
) -> Option<Finding> {
    let is_live = record.status == PaymentRecordStatus::Taken && period.contains(record.created_at);
    let amount = record
        .amount
        .map_or("an unknown amount".to_owned(), |amount| amount.to_string());
    is_live.then(|| {
        let id = Some(&*record.payment_id);
        let detail = format!("{amount} taken");
        Finding::new(
            FindingKind::OrphanCharge,
            order_id,
            id,
            detail,
            Remedy::None,
        )
    })
}

/// Reports a shipment that names the order, but belongs to another one.
pub(super) fn orphan_shipment(
    order: &OrderSnapshot,
    record: &ShipmentRecord,
    period: Period,
) -> Option<Finding> {
    let saga = order.saga.as_ref()?;
    let is_foreign = Ownership::of_shipment(order, saga, record) == Ownership::Foreign;
    let finding = shipment_without_order(order.order_id, record, period)?;
    is_foreign.then(|| with_foreign_key(finding))
}

/// Reports a shipment of an order that does not exist.
pub(super) fn shipment_without_order(
    order_id: OrderId,
    record: &ShipmentRecord,
    period: Period,
) -> Option<Finding> {
    let is_live = record.is_live() && period.contains(record.created_at);
    is_live.then(|| {
        let id = Some(&*record.shipment_id);
        let detail = format!("it is {}", record.status);
        Finding::new(
            FindingKind::OrphanShipment,
            order_id,
            id,
            detail,
            Remedy::None,
        )
    })
}

/// Reports a reservation under an id that no order of ours has used.
pub(super) fn orphan_reservation(
    order_id: OrderId,
    record: &ReservationRecord,
    period: Period,
) -> Option<Finding> {
    let is_held = record.is_held && period.contains(record.created_at);
    is_held.then(|| {
        let id = Some(&*record.reservation_id);
        let detail = "its stock is set aside";
        Finding::new(
            FindingKind::OrphanReservation,
            order_id,
            id,
            detail,
            Remedy::None,
        )
    })
}

fn with_foreign_key(finding: Finding) -> Finding {
    Finding {
        detail: format!("{}, not under the key of this order", finding.detail),
        ..finding
    }
}
