//! Judges orders by the peers' ledgers instead of the service's own tables.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use sandbox::{ChargeStatus, Ledger, ParcelStatus, ReservationState, Sandbox};
use serde_json::Value;

use super::client::Client;
use super::service::eventually;

/// Every order in the staff list.
pub async fn all_orders(staff: &Client) -> Vec<Value> {
    let mut orders = Vec::new();
    for page in 1.. {
        let list = staff
            .get(&format!(
                "/v1/orders/?sort_by=order_id&page_size=100&page={page}"
            ))
            .await;
        assert_eq!(list.status, 200, "{list:?}");
        orders.extend(list.body["results"].as_array().unwrap().clone());
        if list.body["next"].is_null() {
            break;
        }
    }
    orders
}

/// Waits until every order has settled and judges them by the ledgers. Returns them.
pub async fn judge(base: &str, sandbox: &Sandbox, acknowledged: &[i64]) -> Vec<Value> {
    let staff = Client::staff(base);
    let orders = eventually("every order has settled", async || {
        let orders = all_orders(&staff).await;
        let open = orders.iter().filter(|order| {
            matches!(
                order["order_status"].as_str(),
                Some("PENDING" | "CANCELLING")
            ) || order["cancel_requested"] == true
        });
        (open.count() == 0).then_some(orders)
    })
    .await;
    for order_id in acknowledged {
        assert!(
            orders.iter().any(|order| order["order_id"] == *order_id),
            "order {order_id} is lost"
        );
    }
    assert!(!acknowledged.is_empty());
    assert_eq!(violations(&orders, &sandbox.ledger()), [""; 0]);
    orders
}

/// Waits until Payment has taken this many more charges.
pub async fn until_charged(sandbox: &Sandbox, more: usize) {
    let before = sandbox.ledger().charges.len();
    eventually("customers place orders", async || {
        (sandbox.ledger().charges.len() >= before + more).then_some(())
    })
    .await;
}

/// Every disagreement between settled orders and the peers' ledgers.
pub fn violations(orders: &[Value], ledger: &Ledger) -> Vec<String> {
    let mut wrong = Vec::new();
    let by_id: BTreeMap<i64, &Value> = orders
        .iter()
        .map(|order| (order["order_id"].as_i64().unwrap(), order))
        .collect();
    for (&order_id, order) in &by_id {
        wrong.extend(of_order(order_id, order, ledger));
    }
    let known = |order_id: i64| by_id.contains_key(&order_id);
    for charge in ledger
        .charges
        .iter()
        .filter(|charge| !known(charge.order_id))
    {
        wrong.push(format!("a charge without order: {charge:?}"));
    }
    for shipment in ledger
        .shipments
        .iter()
        .filter(|shipment| !known(shipment.order_id))
    {
        wrong.push(format!("a shipment without order: {shipment:?}"));
    }
    wrong
}

/// Every disagreement between one settled order and the ledgers.
pub fn of_order(order_id: i64, order: &Value, ledger: &Ledger) -> Vec<String> {
    let status = order["order_status"].as_str().unwrap();
    let stands = match status {
        "CONFIRMED" | "SHIPPED" | "DELIVERED" => true,
        "CANCELLED" => false,
        _ => return vec![format!("order {order_id} is still {status}")],
    };
    let total: Decimal = order["order_total"].as_str().unwrap().parse().unwrap();
    let charges = ledger
        .charges
        .iter()
        .filter(|charge| charge.order_id == order_id && charge.status != ChargeStatus::Failed);
    let (mut taken, mut live) = (Decimal::ZERO, 0);
    for charge in charges {
        taken += charge.amount - charge.refunded;
        live += usize::from(charge.amount > charge.refunded);
    }
    let parcels = ledger.shipments.iter().filter(|shipment| {
        shipment.order_id == order_id && shipment.status != ParcelStatus::Cancelled
    });
    let reservations = |state| {
        let held = ledger
            .reservations
            .iter()
            .filter(move |held| held.order_id == Some(order_id));
        held.filter(move |held| held.state == state).count()
    };
    let expected = usize::from(stands);
    let found = [
        ("money", taken == if stands { total } else { Decimal::ZERO }),
        ("live charges", live == expected),
        ("parcels", parcels.count() == expected),
        (
            "held reservations",
            reservations(ReservationState::Held) == 0,
        ),
        (
            "committed reservations",
            reservations(ReservationState::Committed) == expected,
        ),
    ];
    let wrong = found.into_iter().filter(|(_, right)| !right);
    wrong
        .map(|(what, _)| format!("order {order_id} ({status}): {what} do not agree"))
        .collect()
}
