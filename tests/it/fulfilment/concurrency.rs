//! Many concurrent placements and cancels.

use futures_util::future::join_all;
use reqwest::Method;
use sandbox::{Fault, Kind, Operation};
use sqlx::Connection as _;

use crate::support::app::TestApp;
use crate::support::client::cart;
use crate::support::ledger::{all_orders, violations};
use crate::support::service::eventually;

#[tokio::test]
async fn a_hundred_mixed_placements_and_cancels_balance() {
    let app = TestApp::start().await;
    app.sandbox
        .set_fault(Fault::everywhere(Kind::ErrorAfter).at_rate(0.05));
    app.sandbox
        .set_fault(Fault::everywhere(Kind::DropBefore).at_rate(0.05));
    let orders = (0..100_i64).map(|number| {
        let customer = app.customer(1 + number % 7);
        async move {
            let cart = match number % 10 {
                0 => cart("OUT-OF-STOCK", 1, "10.00"),
                1 => cart("SKU0007", 1, "402.00"),
                _ => cart("SKU0001", 1, "19.99"),
            };
            let placed = customer.place(&cart).await;
            assert!([201, 202, 402, 409].contains(&placed.status), "{placed:?}");
            if number % 3 == 0 {
                let cancelled = customer.cancel(placed.order_id()).await;
                assert!([200, 202].contains(&cancelled.status), "{cancelled:?}");
            }
        }
    });
    join_all(orders).await;
    app.sandbox.clear_faults();
    let orders = eventually("all orders are settled", async || {
        let orders = all_orders(&app.staff()).await;
        let open = orders.iter().filter(|order| {
            order["order_status"] == "PENDING"
                || order["order_status"] == "CANCELLING"
                || order["cancel_requested"] == true
        });
        (open.count() == 0).then_some(orders)
    })
    .await;
    assert_eq!(orders.len(), 100);
    let ledger = app.sandbox.ledger();
    assert_eq!(violations(&orders, &ledger), [""; 0]);
    assert!(ledger.stock.iter().all(|row| row.reserved == 0));
}

#[tokio::test]
async fn a_disconnected_client_neither_cancels_nor_duplicates() {
    let app = TestApp::start().await;
    app.sandbox
        .set_fault(Fault::new(Operation::Reserve, Kind::Delay).after_ms(2000));
    let customer = app.customer(5);
    let cart = cart("SKU0001", 1, "10.00");
    let stored = eventually("the order is stored", async || {
        (app.stored_orders().await == 1).then_some(())
    });
    // The request and its connection are dropped once the order exists.
    tokio::select! {
        reply = customer.place_with_key("leaving", &cart) => panic!("answered {reply:?}"),
        () = stored => {}
    }
    let again = eventually("the order is settled", async || {
        let again = customer.place_with_key("leaving", &cart).await;
        (again.status == 201).then_some(again)
    })
    .await;
    assert_eq!(again.body["order_status"], "CONFIRMED");
    assert_eq!(app.stored_orders().await, 1);
    assert_eq!(app.sandbox.ledger().charges.len(), 1);
}

#[tokio::test]
async fn a_client_disconnecting_in_mid_write_does_not_stop_its_order() {
    // The lease is too long for another worker to take the order over within the test.
    let app = TestApp::with(&[("LEASE_S", "3600")]).await;
    let (mut watching, mut conn) =
        tokio::join!(app.database.connection(), app.database.connection());
    // The placement waits for the lock that decides whether its key was used.
    let mut other = conn.begin().await.unwrap();
    sqlx::query(
        "insert into idempotency_keys (scope, operation, key, fingerprint, order_id) \
         values ('customer:5', 'create', 'leaving', '', 1)",
    )
    .execute(&mut *other)
    .await
    .unwrap();
    let request = app
        .customer(5)
        .request(Method::POST, "/v1/orders/create/")
        .header("Idempotency-Key", "leaving")
        .json(&cart("SKU0001", 1, "10.00"));
    let placing = tokio::spawn(request.send());
    eventually("the placement waits", async || {
        let waiting: i64 = sqlx::query_scalar(
            "select count(*) from pg_stat_activity \
             where datname = current_database() and wait_event_type = 'Lock'",
        )
        .fetch_one(&mut watching)
        .await
        .unwrap();
        (waiting > 0).then_some(())
    })
    .await;
    placing.abort();
    assert!(placing.await.unwrap_err().is_cancelled());
    // Responses to other requests show that the service has noticed the disconnect.
    for _ in 0..5 {
        assert_eq!(app.customer(5).get("/v1/orders/").await.status, 200);
    }
    other.rollback().await.unwrap();
    eventually("the order is confirmed", async || {
        let orders = all_orders(&app.staff()).await;
        let order = orders.first()?;
        (order["order_status"] == "CONFIRMED").then_some(())
    })
    .await;
}
