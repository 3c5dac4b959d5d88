//! Processes that die or shut down in the middle of a placement.

use reqwest::Method;

use sandbox::{Fault, Kind, Operation};

use crate::support::app::{TestApp, environment};
use crate::support::client::{Client, cart};
use crate::support::database::TestDatabase;
use crate::support::ledger::{all_orders, violations};
use crate::support::service::{Service, eventually};

#[tokio::test]
async fn a_restart_finishes_a_placement_interrupted_by_sigkill() {
    let sandbox = TestApp::sandbox().await;
    let database = TestDatabase::new().await;
    let mut environment = environment(&database, &sandbox);
    environment.set("LEASE_S", "3");
    environment.set("PEER_TIMEOUT_MS", "500");
    let mut placed_so_far = 0;
    for operation in [
        Operation::Reserve,
        Operation::Charge,
        Operation::Create,
        Operation::Commit,
    ] {
        for kind in [Kind::ErrorBefore, Kind::ErrorAfter] {
            // The process dies while it retries, before or after the peer has executed the call;
            // look-ups fail as well.
            sandbox.set_fault(Fault::new(operation, kind));
            sandbox.set_fault(Fault::new(Operation::Follow, Kind::ErrorBefore));
            let mut service = Service::start(&environment).await;
            let customer = Client::customer(&service.base, 5);
            let calls = || {
                sandbox
                    .ledger()
                    .calls
                    .get(&operation)
                    .copied()
                    .unwrap_or_default()
            };
            let before = calls();
            let placing = customer
                .request(Method::POST, "/v1/orders/create/")
                .json(&cart("SKU0001", 1, "10.00"))
                .send();
            let dying = async {
                eventually("the order is stored and the peer is asked", async || {
                    let stored = database.count("orders").await > placed_so_far;
                    (stored && calls() > before).then_some(())
                })
                .await;
                placed_so_far += 1;
                service.kill().await;
            };
            let (placed, ()) = tokio::join!(placing, dying);
            placed.expect_err("the process died before it could answer");
            sandbox.clear_faults();
        }
    }
    let service = Service::start(&environment).await;
    let staff = Client::staff(&service.base);
    let orders = eventually("every order is confirmed", async || {
        let orders = all_orders(&staff).await;
        let confirmed = orders
            .iter()
            .filter(|order| order["order_status"] == "CONFIRMED");
        (confirmed.count() == 8).then_some(orders)
    })
    .await;
    assert_eq!(violations(&orders, &sandbox.ledger()), [""; 0]);
}

#[tokio::test]
async fn a_graceful_shutdown_releases_the_lease() {
    let mut app = TestApp::with(&[("SETTLE_WAIT_MS", "50"), ("LEASE_S", "3600")]).await;
    app.sandbox.set_fault(
        Fault::new(Operation::Charge, Kind::Delay)
            .after_ms(300)
            .times(1),
    );
    let placed = app.customer(5).place(&cart("SKU0001", 1, "10.00")).await;
    assert_eq!(placed.status, 202);
    app.restart().await;
    let customer = app.customer(5);
    // Long before the one-hour lease expires.
    customer.until_status(placed.order_id(), "CONFIRMED").await;
    assert_eq!(
        violations(&all_orders(&app.staff()).await, &app.sandbox.ledger()),
        [""; 0]
    );
}

#[tokio::test]
async fn a_process_about_to_stop_claims_nothing() {
    let settings = [("SETTLE_WAIT_MS", "50"), ("SHUTDOWN_DRAIN_MS", "1000")];
    let mut app = TestApp::with(&settings).await;
    app.sandbox
        .set_fault(Fault::new(Operation::Charge, Kind::ErrorBefore));
    let placed = app.customer(5).place(&cart("SKU0001", 1, "10.00")).await;
    assert_eq!(placed.status, 202, "{placed:?}");
    let running = app.take();
    let anonymous = app.anonymous();
    let mut conn = app.database.connection().await;
    // The saga is always due.
    let mut epoch = async || -> i64 {
        eventually("the order waits for its turn", async || {
            sqlx::query_scalar(
                "update fulfilments set due_at = now() where not leased returning epoch",
            )
            .fetch_optional(&mut conn)
            .await
            .unwrap()
        })
        .await
    };
    let looking = async {
        eventually("it is about to stop", async || {
            (anonymous.get("/health/ready/").await.status == 503).then_some(())
        })
        .await;
        eventually("the last claim is given back", async || {
            let first = epoch().await;
            (epoch().await == first).then_some(first)
        })
        .await
    };
    let (last, ()) = tokio::join!(looking, running.stop());
    assert_eq!(epoch().await, last);
}
