//! Comparisons with peers that do not list idempotency keys, which the sandbox does.

use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use crate::domain::money::{Currency, Money, parse_decimal};

use super::*;
use crate::domain::ids::OrderId;

const ACCEPTED: OffsetDateTime = time::macros::datetime!(2025-01-01 12:00 UTC);

fn order(phase: Phase, payment_id: Option<&str>) -> OrderSnapshot {
    OrderSnapshot {
        order_id: OrderId(42),
        created_at: ACCEPTED,
        order_total: Money::parse_price("10", Currency::from_code("USD").unwrap()).unwrap(),
        payment_status: match phase {
            Phase::Completed => PaymentStatus::Paid,
            _ => PaymentStatus::Refunded,
        },
        shipping_status: ShippingStatus::Pending,
        version: 5,
        saga: Some(SagaSnapshot {
            identity: Uuid::nil(),
            phase,
            lapsed: 0,
            payment_id: payment_id.map(str::to_owned),
            shipment_id: None,
            since: ACCEPTED,
            has_open_work: false,
            is_manually_resolved: false,
        }),
    }
}

fn period() -> Period {
    Period {
        since: ACCEPTED - Duration::DAY,
        until: ACCEPTED + Duration::DAY,
    }
}

fn charge(payment_id: &str, status: PaymentRecordStatus) -> PaymentRecord {
    PaymentRecord {
        payment_id: payment_id.to_owned(),
        status,
        amount: parse_decimal("10.00").ok(),
        reference: None,
        idempotency_key: None,
        created_at: Some(ACCEPTED),
    }
}

fn compare(order: &OrderSnapshot, charges: &[PaymentRecord]) -> Vec<(FindingKind, Remedy)> {
    let findings = SettledOrder::of(order, period())
        .unwrap()
        .charge_findings(charges);
    let findings = findings
        .iter()
        .map(|finding| (finding.kind, finding.remedy));
    findings.collect()
}

#[test]
fn without_a_key_only_a_known_payment_id_identifies_a_charge() {
    use PaymentRecordStatus::Taken;
    let live = [charge("7", Taken)];
    let known = order(Phase::Undone, Some("7"));
    assert_eq!(
        compare(&known, &live),
        [(FindingKind::UnrefundedCharge, Remedy::LateArrivalCheck)]
    );
    let unknown = order(Phase::Undone, None);
    assert_eq!(
        compare(&unknown, &live),
        [(FindingKind::UnrefundedCharge, Remedy::None)]
    );
    // Listed newest first.
    let two = [charge("8", Taken), charge("7", Taken)];
    for payment_id in [Some("7"), None] {
        let completed = order(Phase::Completed, payment_id);
        assert_eq!(
            compare(&completed, &two),
            [(FindingKind::DuplicateCharge, Remedy::None)]
        );
    }
    let completed = order(Phase::Completed, Some("8"));
    let findings = SettledOrder::of(&completed, period())
        .unwrap()
        .charge_findings(&two);
    assert_eq!(findings[0].record_id.as_deref(), Some("7"));
}

#[test]
fn a_record_older_than_its_order_is_an_orphan() {
    let mut old = charge("7", PaymentRecordStatus::Taken);
    old.created_at = Some(ACCEPTED - Duration::HOUR);
    let cancelled = order(Phase::Undone, None);
    assert_eq!(
        compare(&cancelled, &[old]),
        [(FindingKind::OrphanCharge, Remedy::None)]
    );
}

#[test]
fn an_open_charge_is_neither_missing_nor_surplus() {
    use PaymentRecordStatus::{Failed, Other, Refunded, Taken};
    let completed = order(Phase::Completed, Some("7"));
    for (states, expected) in [
        (vec![Other], vec![]),
        (vec![Other, Taken], vec![]),
        (vec![Failed, Taken, Refunded], vec![]),
        (vec![Failed, Refunded], vec![FindingKind::MissingCharge]),
        (vec![], vec![FindingKind::MissingCharge]),
    ] {
        let charges: Vec<_> = states
            .iter()
            .enumerate()
            .map(|(id, state)| charge(&id.to_string(), *state))
            .collect();
        let kinds: Vec<_> = compare(&completed, &charges)
            .into_iter()
            .map(|(kind, _)| kind)
            .collect();
        assert_eq!(kinds, expected, "{states:?}");
    }
}

#[test]
fn a_fresh_record_is_not_compared() {
    let mut young = charge("8", PaymentRecordStatus::Taken);
    young.created_at = Some(ACCEPTED + Duration::DAY * 2);
    let completed = order(Phase::Completed, Some("7"));
    assert_eq!(
        compare(
            &completed,
            &[young.clone(), charge("7", PaymentRecordStatus::Taken)]
        ),
        []
    );
    // It still counts as present.
    assert_eq!(compare(&completed, &[young.clone()]), []);
    assert_eq!(compare(&order(Phase::Undone, None), &[young]), []);
}
