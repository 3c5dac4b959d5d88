//! What an operator does for an order that waits for a person.

use order_service::sandbox::{Fault, Kind, Operation};
use sqlx::AssertSqlSafe;

use crate::support::app::TestApp;
use crate::support::client::cart;
use crate::support::ledger::{all_orders, violations};
use crate::support::service::eventually;

const PAGE: &str = include_str!("../../../docs/operations.md");

/// The documented statement, for this order.
fn repair(order_id: i64) -> String {
    let begin = PAGE.find("update fulfilments").unwrap();
    let statement = PAGE[begin..].split(';').next().unwrap();
    statement.replace("1025", &order_id.to_string())
}

#[tokio::test]
async fn a_stuck_refund_goes_on_once_it_is_repaired_as_documented() {
    let app = TestApp::start().await;
    let customer = app.customer(5);
    let order_id = customer
        .place(&cart("SKU0001", 1, "10.00"))
        .await
        .order_id();
    app.sandbox
        .set_fault(Fault::new(Operation::Refund, Kind::Refuse));
    assert_eq!(customer.cancel(order_id).await.status, 202);
    eventually("a person is called", async || {
        let history = customer.history(order_id).await;
        history.contains(&"person_needed".to_owned()).then_some(())
    })
    .await;

    app.sandbox.clear_faults();
    let mut conn = app.database.connection().await;
    let repaired = sqlx::query(AssertSqlSafe(repair(order_id)))
        .execute(&mut conn)
        .await
        .unwrap();
    assert_eq!(repaired.rows_affected(), 1);
    eventually("the order is called off", async || {
        let order = customer.details(order_id).await.body;
        (order["order_status"] == "CANCELLED").then_some(())
    })
    .await;
    let orders = all_orders(&app.staff()).await;
    assert_eq!(violations(&orders, &app.sandbox.ledger()), [""; 0]);
}
