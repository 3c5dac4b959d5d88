//! What no stand-in shows: peers that tell no keys.

use time::Duration;
use uuid::Uuid;

use crate::domain::money::{Currency, Money, parse_decimal};
use crate::domain::saga::Phase;

use super::*;

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
            settled_by_hand: false,
        }),
    }
}

fn window() -> Window {
    Window {
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

fn judge(order: &OrderSnapshot, charges: &[PaymentRecord]) -> Vec<(Kind, Remedy)> {
    let found = Rested::of(order, window()).unwrap().charges(charges);
    let found = found.iter().map(|finding| (finding.kind, finding.remedy));
    found.collect()
}

#[test]
fn without_a_key_only_a_known_payment_id_identifies_a_charge() {
    use PaymentRecordStatus::Taken;
    let live = [charge("7", Taken)];
    let known = order(Phase::Undone, Some("7"));
    assert_eq!(
        judge(&known, &live),
        [(Kind::UnrefundedCharge, Remedy::Sweep)]
    );
    let unknown = order(Phase::Undone, None);
    assert_eq!(
        judge(&unknown, &live),
        [(Kind::UnrefundedCharge, Remedy::None)]
    );
    // Listed newest first.
    let two = [charge("8", Taken), charge("7", Taken)];
    for payment_id in [Some("7"), None] {
        let standing = order(Phase::Completed, payment_id);
        assert_eq!(
            judge(&standing, &two),
            [(Kind::DuplicateCharge, Remedy::None)]
        );
    }
    let standing = order(Phase::Completed, Some("8"));
    let found = Rested::of(&standing, window()).unwrap().charges(&two);
    assert_eq!(found[0].record_id.as_deref(), Some("7"));
}

#[test]
fn a_record_older_than_its_order_is_an_orphan() {
    let mut old = charge("7", PaymentRecordStatus::Taken);
    old.created_at = Some(ACCEPTED - Duration::HOUR);
    let called_off = order(Phase::Undone, None);
    assert_eq!(
        judge(&called_off, &[old]),
        [(Kind::OrphanCharge, Remedy::None)]
    );
}

#[test]
fn an_open_charge_is_neither_missing_nor_surplus() {
    use PaymentRecordStatus::{Failed, Other, Refunded, Taken};
    let standing = order(Phase::Completed, Some("7"));
    for (states, expected) in [
        (vec![Other], vec![]),
        (vec![Other, Taken], vec![]),
        (vec![Failed, Taken, Refunded], vec![]),
        (vec![Failed, Refunded], vec![Kind::MissingCharge]),
        (vec![], vec![Kind::MissingCharge]),
    ] {
        let charges: Vec<_> = states
            .iter()
            .enumerate()
            .map(|(number, state)| charge(&number.to_string(), *state))
            .collect();
        let kinds: Vec<_> = judge(&standing, &charges)
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
    let standing = order(Phase::Completed, Some("7"));
    assert_eq!(
        judge(
            &standing,
            &[young.clone(), charge("7", PaymentRecordStatus::Taken)]
        ),
        []
    );
    // But it is there.
    assert_eq!(judge(&standing, &[young.clone()]), []);
    assert_eq!(judge(&order(Phase::Undone, None), &[young]), []);
}
