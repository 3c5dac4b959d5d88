//! Parcels that disagree with their order.

use reqwest::Method;
use sandbox::{Fault, Kind, Operation, ParcelStatus};
use serde_json::json;

use super::Shop;

async fn with_a_second_parcel(shop: &Shop) -> (i64, String) {
    let order_id = shop.confirmed().await;
    let key = shop.key(order_id, "create_shipment").await;
    shop.app
        .sandbox
        .set_fault(Fault::new(Operation::Create, Kind::Again));
    let second = shop.ship(order_id, &key).await;
    shop.app.sandbox.clear_faults();
    (order_id, second)
}

fn statuses(shop: &Shop) -> Vec<ParcelStatus> {
    let parcels = shop.app.sandbox.ledger().shipments;
    parcels.iter().map(|parcel| parcel.status).collect()
}

#[tokio::test]
async fn a_duplicate_parcel_is_recalled_and_the_first_kept() {
    let shop = Shop::open().await;
    let (order_id, second) = with_a_second_parcel(&shop).await;
    let kinds = [("duplicate_shipment", order_id)];
    let report = shop.reconcile(&[]).await;
    report.assert(1, None, &kinds);
    assert_eq!(report.findings[0]["record_id"].as_str(), Some(&*second));
    shop.reconcile(&["--repair"])
        .await
        .assert(0, Some("repaired"), &kinds);
    shop.reconcile(&["--repair"]).await.assert(0, None, &[]);
    assert_eq!(
        statuses(&shop),
        [ParcelStatus::Pending, ParcelStatus::Cancelled]
    );
    let history = shop.app.staff().history(order_id).await;
    assert_eq!(history.last().unwrap(), "surplus_cancelled");
}

#[tokio::test]
async fn a_duplicate_parcel_in_transit_is_only_reported() {
    let shop = Shop::open().await;
    let (order_id, _) = with_a_second_parcel(&shop).await;
    while statuses(&shop).contains(&ParcelStatus::Pending)
        || statuses(&shop).contains(&ParcelStatus::Packed)
    {
        shop.app.sandbox.advance_parcels();
    }
    let kinds = [("duplicate_shipment", order_id)];
    let report = shop.reconcile(&["--repair"]).await;
    report.assert(1, Some("left"), &kinds);
    assert!(report.findings[0]["reason"].is_string(), "{report:?}");
}

#[tokio::test]
async fn a_missing_parcel_is_handed_to_staff() {
    let shop = Shop::open().await;
    let order_id = shop.confirmed().await;
    let url = shop
        .app
        .sandbox
        .urls()
        .shipping
        .join("v1/shipments/1/status");
    let cancel = shop
        .http
        .request(Method::PATCH, url.unwrap())
        .json(&json!({ "status": "CANCELLED" }));
    assert!(cancel.send().await.unwrap().status().is_success());
    let kinds = [("missing_shipment", order_id)];
    shop.reconcile(&[]).await.assert(1, None, &kinds);
    shop.reconcile(&["--repair"])
        .await
        .assert(1, Some("handed_over"), &kinds);
    assert_eq!(shop.stuck().await[0].0, order_id);
    shop.reconcile(&["--repair"]).await.assert(0, None, &[]);
}
