//! Charges that disagree with their order.

use sandbox::{ChargeStatus, Fault, Kind, Operation};

use super::Shop;
use crate::support::ledger::{all_orders, violations};

#[tokio::test]
async fn a_lost_refund_is_found_and_repeated() {
    let shop = Shop::open().await;
    let order_id = shop.confirmed().await;
    // As if the order had been cancelled without its refund.
    shop.sql(
        "update orders set order_status = 'CANCELLED', payment_status = 'REFUNDED', \
         shipping_status = 'CANCELLED', cancel_reason = 'staff' where order_id = $1",
        order_id,
    )
    .await;
    shop.sql(
        "update fulfilments set phase = 'undone', due_at = null where order_id = $1",
        order_id,
    )
    .await;
    let kinds = [
        ("uncancelled_shipment", order_id),
        ("unrefunded_charge", order_id),
    ];
    shop.reconcile(&[]).await.assert(1, None, &kinds);
    shop.reconcile(&["--repair"])
        .await
        .assert(0, Some("repaired"), &kinds);
    let history = shop.app.staff().history(order_id).await;
    assert!(
        history.contains(&"discrepancy_found".to_owned()),
        "{history:?}"
    );
    assert!(
        history.contains(&"payment_refunded".to_owned()),
        "{history:?}"
    );
    shop.reconcile(&["--repair"]).await.assert(0, None, &[]);
    assert_eq!(
        violations(
            &all_orders(&shop.app.staff()).await,
            &shop.app.sandbox.ledger()
        ),
        [""; 0]
    );
}

#[tokio::test]
async fn a_duplicate_charge_is_refunded_and_the_first_kept() {
    let shop = Shop::open().await;
    let order_id = shop.confirmed().await;
    let key = shop.key(order_id, "charge_payment").await;
    shop.app
        .sandbox
        .set_fault(Fault::new(Operation::Charge, Kind::Again));
    let second = shop.charge(order_id, "10.00", &key).await;
    shop.app.sandbox.clear_faults();
    let kinds = [("duplicate_charge", order_id)];
    let report = shop.reconcile(&[]).await;
    report.assert(1, None, &kinds);
    assert_eq!(report.findings[0]["record_id"].as_str(), Some(&*second));
    shop.reconcile(&["--repair"])
        .await
        .assert(0, Some("repaired"), &kinds);
    shop.reconcile(&["--repair"]).await.assert(0, None, &[]);
    let charges = shop.app.sandbox.ledger().charges;
    let states: Vec<_> = charges.iter().map(|charge| charge.status).collect();
    assert_eq!(states, [ChargeStatus::Success, ChargeStatus::Refunded]);
    let order = shop.app.staff().details(order_id).await.body;
    assert_eq!(
        (
            order["order_status"].as_str(),
            order["payment_status"].as_str()
        ),
        (Some("CONFIRMED"), Some("PAID"))
    );
    let history = shop.app.staff().history(order_id).await;
    assert!(
        history.ends_with(&[
            "discrepancy_found".to_owned(),
            "surplus_refunded".to_owned()
        ]),
        "{history:?}"
    );
    // The order can still be cancelled.
    shop.app.customer(5).cancel(order_id).await;
    shop.app
        .customer(5)
        .until_status(order_id, "CANCELLED")
        .await;
}

#[tokio::test]
async fn a_missing_charge_is_handed_to_staff() {
    let shop = Shop::open().await;
    let order_id = shop.confirmed().await;
    shop.refund_by_hand(5001).await;
    let kinds = [("missing_charge", order_id)];
    shop.reconcile(&[]).await.assert(1, None, &kinds);
    assert!(shop.stuck().await.is_empty());
    shop.reconcile(&["--repair"])
        .await
        .assert(1, Some("handed_over"), &kinds);
    let stuck = shop.stuck().await;
    assert_eq!(stuck[0].0, order_id);
    let told = "missing_charge: no charge of 10.00 at Payment";
    assert!(stuck[0].1.contains(told), "{stuck:?}");
    let timeline = shop
        .app
        .staff()
        .get(&format!("/v1/orders/{order_id}/tracking/"))
        .await
        .body["timeline"]
        .clone();
    let last = timeline.as_array().unwrap().last().unwrap();
    assert_eq!(
        (last["code"].as_str(), last["actor"].as_str()),
        (Some("person_needed"), Some("reconciliation"))
    );
    let again = shop.reconcile(&["--repair"]).await;
    again.assert(0, None, &[]);
    assert_eq!(again.summary["stuck"], 1);
}

#[tokio::test]
async fn a_charge_of_another_amount_is_handed_to_staff() {
    let shop = Shop::open().await;
    let order_id = shop.confirmed().await;
    shop.sql(
        "update orders set subtotal = 12, order_total = 12 where order_id = $1",
        order_id,
    )
    .await;
    let kinds = [("amount_mismatch", order_id)];
    shop.reconcile(&[]).await.assert(1, None, &kinds);
    shop.reconcile(&["--repair"])
        .await
        .assert(1, Some("handed_over"), &kinds);
    let stuck = shop.stuck().await;
    assert_eq!(stuck[0].0, order_id);
    assert!(stuck[0].1.contains("10.00 taken"), "{stuck:?}");
    let charges = shop.app.sandbox.ledger().charges;
    assert_eq!(charges[0].status, ChargeStatus::Success);
}

#[tokio::test]
async fn a_manually_settled_order_is_not_refunded_again() {
    let shop = Shop::open().await;
    let order_id = shop.confirmed().await;
    shop.app
        .sandbox
        .set_fault(Fault::new(Operation::Refund, Kind::Refuse));
    shop.app.customer(5).cancel(order_id).await;
    crate::support::service::eventually("the order is stuck", async || {
        (shop.stuck().await.len() == 1).then_some(())
    })
    .await;
    shop.app.sandbox.clear_faults();
    let path = format!("/v1/ops/orders/{order_id}/resolve/");
    let body = serde_json::json!({ "outcome": "cancelled", "reason": "refunded by bank transfer" });
    assert_eq!(shop.app.staff().post(&path, &body).await.status, 200);
    let report = shop.reconcile(&["--repair"]).await;
    report.assert(0, None, &[]);
    assert_eq!(report.summary["is_manually_resolved"], 1);
    assert!(shop.app.sandbox.ledger().refunds.is_empty());
}
