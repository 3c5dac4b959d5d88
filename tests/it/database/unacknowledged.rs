//! Connections that break during a write: the service finds out whether the write committed, and
//! never guesses.

use sandbox::{Fault, Kind, Operation};
use serde_json::json;

use super::behind_a_proxy;
use crate::support::app::TestApp;
use crate::support::client::cart;
use crate::support::ledger::{all_orders, judge};
use crate::support::proxy::Cut;
use crate::support::service::eventually;

/// Turns parcel tracking off, so that only the tested request contains this text.
const AT_REST: &[(&str, &str)] = &[("FOLLOW_INTERVAL_MS", "86400000")];

async fn assert_one_order(app: &TestApp, order_id: i64) {
    let orders = judge(&app.base, &app.sandbox, &[order_id]).await;
    assert_eq!(orders.len(), 1, "{orders:?}");
    assert_eq!(orders[0]["order_status"], "CONFIRMED");
}

#[tokio::test]
async fn a_placement_on_a_broken_connection_is_one_order() {
    for cut in [Cut::Before, Cut::After] {
        for key in [None, Some("key-1")] {
            let (app, proxy) = behind_a_proxy(AT_REST).await;
            proxy.cut("SKU0001", cut);
            let (customer, body) = (app.customer(5), cart("SKU0001", 1, "10.00"));
            let placed = match key {
                Some(key) => customer.place_with_key(key, &body).await,
                None => customer.place(&body).await,
            };
            proxy.assert_cut();
            assert_eq!(placed.status, 201, "{cut:?} {key:?}: {placed:?}");
            assert_eq!(placed.header("idempotent-replayed"), None);
            assert_eq!(placed.body["items"].as_array().unwrap().len(), 1);
            if let Some(key) = key {
                let again = customer.place_with_key(key, &body).await;
                assert_eq!(again.order_id(), placed.order_id());
                assert_eq!(again.header("idempotent-replayed"), Some("true"));
            }
            assert_one_order(&app, placed.order_id()).await;
        }
    }
}

#[tokio::test]
async fn a_placement_broken_behind_a_pooler_is_one_order() {
    // The statement, and the COMMIT of its transaction.
    for text in ["SKU0001", "commit"] {
        for cut in [Cut::Before, Cut::After] {
            let (app, proxy) = behind_a_proxy(&[
                ("FOLLOW_INTERVAL_MS", "86400000"),
                ("POLL_INTERVAL_MS", "60000"),
                ("DATABASE_POOLER", "transaction"),
            ])
            .await;
            // The first queries of the catalogue are over.
            let placed = app.customer(5).place(&cart("SKU0002", 1, "10.00")).await;
            assert_eq!(placed.status, 201, "{placed:?}");
            proxy.cut(text, cut);
            let placed = app.customer(5).place(&cart("SKU0001", 1, "10.00")).await;
            proxy.assert_cut();
            assert_eq!(placed.status, 201, "{text} {cut:?}: {placed:?}");
            let orders = judge(&app.base, &app.sandbox, &[placed.order_id()]).await;
            assert_eq!(orders.len(), 2, "{text} {cut:?}: {orders:?}");
        }
    }
}

#[tokio::test]
async fn a_placement_committed_after_its_retry_is_one_order() {
    for key in [None, Some("key-1")] {
        let (app, proxy) = behind_a_proxy(AT_REST).await;
        // The statement is already prepared: the second time it is sent with its parameters at
        // once.
        app.customer(5).place(&cart("SKU0002", 1, "10.00")).await;
        proxy.cut("SKU0001", Cut::Late);
        let (customer, body) = (app.customer(5), cart("SKU0001", 1, "10.00"));
        let placed = match key {
            Some(key) => customer.place_with_key(key, &body).await,
            None => customer.place(&body).await,
        };
        proxy.assert_cut();
        assert_eq!(placed.status, 201, "{placed:?}");
        proxy.deliver().await;
        let orders = judge(&app.base, &app.sandbox, &[placed.order_id()]).await;
        assert_eq!(orders.len(), 2, "{key:?}: {orders:?}");
    }
}

#[tokio::test]
async fn a_placement_without_an_acknowledgement_runs_once() {
    let (app, proxy) = behind_a_proxy(&[("LEASE_S", "1"), ("PEER_TIMEOUT_MS", "150")]).await;
    proxy.cut("SKU0001", Cut::AfterAndAway);
    let (customer, body) = (app.customer(5), cart("SKU0001", 1, "10.00"));
    let lost = customer.place_with_key("key-1", &body).await;
    proxy.assert_cut();
    lost.assert_problem(503, "unavailable");
    assert_eq!(lost.header("retry-after"), Some("1"));
    proxy.come_back().await;
    // The saga runs even if the client does not retry.
    let staff = app.staff();
    let order_id = eventually("the order is confirmed", async || {
        let orders = all_orders(&staff).await;
        let order = orders.first()?;
        (order["order_status"] == "CONFIRMED").then(|| order["order_id"].as_i64().unwrap())
    })
    .await;
    let again = customer.place_with_key("key-1", &body).await;
    assert_eq!((again.status, again.order_id()), (201, order_id));
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    assert_one_order(&app, order_id).await;
}

#[tokio::test]
async fn a_cancel_on_a_broken_connection_is_one_cancel_request() {
    for cut in [Cut::Before, Cut::After] {
        let (app, proxy) = behind_a_proxy(AT_REST).await;
        let customer = app.customer(5);
        let placed = customer.place(&cart("SKU0001", 1, "10.00")).await;
        proxy.cut("customer:5", cut);
        let cancelled = customer.cancel(placed.order_id()).await;
        proxy.assert_cut();
        assert_eq!(cancelled.status, 200, "{cut:?}: {cancelled:?}");
        assert_eq!(cancelled.body["order_status"], "CANCELLED");
        let history = customer.history(placed.order_id()).await;
        let requests = history.iter().filter(|code| *code == "cancel_requested");
        assert_eq!(requests.count(), 1, "{history:?}");
        judge(&app.base, &app.sandbox, &[placed.order_id()]).await;
    }
}

#[tokio::test]
async fn an_update_on_a_broken_connection_is_written_once() {
    for cut in [Cut::Before, Cut::After] {
        let (app, proxy) = behind_a_proxy(AT_REST).await;
        let placed = app.customer(5).place(&cart("SKU0001", 1, "10.00")).await;
        let path = format!("/v1/orders/{}/update/", placed.order_id());
        proxy.cut("staff:1000", cut);
        let news = json!({ "order_status": "SHIPPED" });
        let updated = app.staff().patch(&path, &news).await;
        proxy.assert_cut();
        assert_eq!(updated.status, 200, "{cut:?}: {updated:?}");
        assert_eq!(updated.body["order_status"], "SHIPPED");
        let history = app.customer(5).history(placed.order_id()).await;
        let shipped = history.iter().filter(|code| *code == "order_shipped");
        assert_eq!(shipped.count(), 1, "{history:?}");
    }
}

#[tokio::test]
async fn a_decision_on_a_broken_connection_is_written_once() {
    for cut in [Cut::Before, Cut::After] {
        for (verb, body) in [
            ("retry", json!({ "reason": "repaired" })),
            (
                "resolve",
                json!({ "outcome": "cancelled", "reason": "by hand" }),
            ),
        ] {
            let (app, proxy) = behind_a_proxy(AT_REST).await;
            let order_id = stuck(&app).await;
            proxy.cut("staff:1000", cut);
            let path = format!("/v1/ops/orders/{order_id}/{verb}/");
            let decided = app.staff().post(&path, &body).await;
            proxy.assert_cut();
            assert_eq!(decided.status, 200, "{verb} {cut:?}: {decided:?}");
            app.customer(5).until_status(order_id, "CANCELLED").await;
            let history = app.customer(5).history(order_id).await;
            let decisions = history.iter().filter(|code| *code == "person_decided");
            assert_eq!(decisions.count(), 1, "{history:?}");
        }
    }
}

/// A stuck order, whose refund Payment has refused.
async fn stuck(app: &TestApp) -> i64 {
    let placed = app.customer(5).place(&cart("SKU0001", 1, "10.00")).await;
    app.sandbox
        .set_fault(Fault::new(Operation::Refund, Kind::Refuse));
    app.customer(5).cancel(placed.order_id()).await;
    eventually("the order is stuck", async || {
        let stuck = app.staff().get("/v1/ops/orders/stuck/").await;
        (stuck.body["results"].as_array()?.len() == 1).then_some(())
    })
    .await;
    app.sandbox.clear_faults();
    placed.order_id()
}

#[tokio::test]
async fn progress_on_a_broken_connection_is_written_once() {
    let steps = [
        "stock_reserved",
        "payment_taken",
        "shipment_created",
        "order_confirmed",
    ];
    for step in steps {
        for cut in [Cut::Before, Cut::After] {
            let (app, proxy) = behind_a_proxy(AT_REST).await;
            proxy.cut(step, cut);
            let placed = app.customer(5).place(&cart("SKU0001", 1, "10.00")).await;
            assert_eq!(placed.status, 201, "{step} {cut:?}: {placed:?}");
            proxy.assert_cut();
            let history = app.customer(5).history(placed.order_id()).await;
            assert_eq!(history.iter().filter(|code| *code == step).count(), 1);
            assert_one_order(&app, placed.order_id()).await;
        }
    }
}

#[tokio::test]
async fn an_unacknowledged_progress_write_has_no_second_effect() {
    for cut in [Cut::Before, Cut::After] {
        let settings = [AT_REST, &[("PROGRESS_DELAY_MS", "20")]].concat();
        let (app, proxy) = behind_a_proxy(&settings).await;
        let slow = Fault::new(Operation::Charge, Kind::Delay).after_ms(300);
        app.sandbox.set_fault(slow.times(1));
        proxy.cut("stock_reserved", cut);
        let placed = app.customer(5).place(&cart("SKU0001", 1, "10.00")).await;
        proxy.assert_cut();
        assert_eq!(placed.status, 201, "{cut:?}: {placed:?}");
        let codes = app.customer(5).history(placed.order_id()).await;
        assert_eq!(
            codes,
            [
                "order_placed",
                "stock_reserved",
                "payment_taken",
                "shipment_created",
                "order_confirmed"
            ],
            "{cut:?}"
        );
        let calls = app.sandbox.ledger().calls;
        for operation in [Operation::Reserve, Operation::Charge, Operation::Create] {
            assert_eq!(calls[&operation], 1, "{operation:?}");
        }
        assert_one_order(&app, placed.order_id()).await;
    }
}
