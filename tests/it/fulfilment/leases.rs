//! Leases and epochs: holding, taking over and losing an order.

use std::time::Duration;

use order_service::app::App;
use order_service::config::Config;
use order_service::db::sagas::{CommitResult, claim_due, commit, load, release_lease, renew};
use order_service::domain::event::Actor;
use order_service::domain::saga::plan::Plan;
use order_service::domain::saga::{
    Claim, Doubt, Durability, NextRun, Saga, Transition, first_epoch,
};
use order_service::domain::step::Step;
use sandbox::{Fault, Kind, Operation};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::support::app::{TestApp, environment};
use crate::support::client::{Client, cart};
use crate::support::database::TestDatabase;
use crate::support::ledger::judge;
use crate::support::service::eventually;

const LEASE: Duration = Duration::from_secs(60);

/// An order that waits for its charge, without a worker.
async fn waiting_order() -> (TestApp, PgConnection) {
    let mut app = TestApp::with(&[("SETTLE_WAIT_MS", "50")]).await;
    app.sandbox
        .set_fault(Fault::new(Operation::Charge, Kind::ErrorBefore));
    let customer = app.customer(5);
    let placed = customer.place(&cart("SKU0001", 1, "10.00")).await;
    assert_eq!(placed.status, 202, "{placed:?}");
    eventually("the stock is reserved", async || {
        let history = customer.history(placed.order_id()).await;
        history.contains(&"stock_reserved".to_owned()).then_some(())
    })
    .await;
    app.stop().await;
    let mut conn = app.database.connection().await;
    // As if every call had been acknowledged, so that nothing is in doubt.
    sqlx::query("update fulfilments set doubt = null, leased = false, step = 'charge_payment'")
        .execute(&mut conn)
        .await
        .unwrap();
    (app, conn)
}

/// Claims the order as soon as it is due, or its lease has expired.
async fn claim(conn: &mut PgConnection) -> Claim {
    sqlx::query("update fulfilments set due_at = now()")
        .execute(&mut *conn)
        .await
        .unwrap();
    let claims = claim_due(conn, 1, LEASE).await.unwrap();
    claims[0]
}

async fn loaded(conn: &mut PgConnection, claim: Claim) -> Saga {
    load(conn, claim).await.unwrap().unwrap()
}

#[tokio::test]
async fn a_superseded_lease_holder_writes_nothing() {
    let (_app, mut conn) = waiting_order().await;
    let lost = claim(&mut conn).await;
    let saga = loaded(&mut conn, lost).await;
    let current = claim(&mut conn).await;
    let undone = Saga {
        plan: Plan::Undone,
        ..saga.clone()
    };
    let transition = Transition {
        saga: undone,
        events: Vec::new(),
        next_run: NextRun::Never,
        durability: Durability::Synchronous,
        last_answer: None,
        cancel_decided: false,
        operation: ("undo", "reserve_stock"),
    };
    let committed = commit(&mut conn, &saga, &transition, &Actor::saga(), None).await;
    assert_eq!(committed.unwrap(), CommitResult::Superseded);
    assert!(!renew(&mut conn, lost, LEASE).await.unwrap());
    release_lease(&mut conn, &saga).await.unwrap();
    assert!(load(&mut conn, lost).await.unwrap().is_none());
    let now = loaded(&mut conn, current).await;
    assert!(matches!(now.plan, Plan::Doing { .. }), "{:?}", now.plan);
}

#[tokio::test]
async fn a_new_lease_holder_doubts_the_steps_of_the_previous() {
    let (_app, mut conn) = waiting_order().await;
    let charging = |doubt| Plan::Doing {
        step: Step::ChargePayment,
        doubt,
    };
    // The order was due and had no holder.
    let first = claim(&mut conn).await;
    assert_eq!(loaded(&mut conn, first).await.plan, charging(Doubt::None));
    // The lease expired: its holder died, or will notice the loss.
    let second = claim(&mut conn).await;
    assert_eq!(
        loaded(&mut conn, second).await.plan,
        charging(Doubt::StepAndLater)
    );
}

#[tokio::test]
async fn a_lease_is_renewed_while_its_order_is_in_progress() {
    let database = TestDatabase::new().await;
    let sandbox = TestApp::sandbox().await;
    for operation in [
        Operation::Reserve,
        Operation::Charge,
        Operation::Create,
        Operation::Commit,
    ] {
        sandbox.set_fault(Fault::new(operation, Kind::Delay).after_ms(700));
    }
    let mut environment = environment(&database, &sandbox);
    environment.set("FOLLOW_INTERVAL_MS", "86400000");
    let mut config = environment.read(Config::read).unwrap();
    // Shorter than the settings allow for these timeouts.
    let lease = Duration::from_secs(2);
    config.saga.lease = lease;
    config.orders.lease = lease;
    let app = App::start(config).unwrap();
    let base = format!("http://{}", app.address());
    let customer = Client::customer(&base, 5);
    let placed = customer.place(&cart("SKU0001", 1, "10.00")).await;
    assert_eq!(placed.status, 201, "{placed:?}");
    judge(&base, &sandbox, &[placed.order_id()]).await;
    let mut conn = database.connection().await;
    let (identity, epoch): (Uuid, i64) = sqlx::query_as("select identity, epoch from fulfilments")
        .fetch_one(&mut conn)
        .await
        .unwrap();
    assert_eq!(
        epoch,
        first_epoch(identity),
        "another worker claimed it from a live holder"
    );
    app.stop().await;
}

#[tokio::test]
async fn releasing_a_lease_after_lost_progress_records_doubt() {
    for (lost, doubt) in [(0, Doubt::None), (2, Doubt::StepAndLater)] {
        let (_app, mut conn) = waiting_order().await;
        let claimed = claim(&mut conn).await;
        let mut saga = loaded(&mut conn, claimed).await;
        let step = Step::ChargePayment;
        sqlx::query("update fulfilments set step = 'charge_payment', doubt = null")
            .execute(&mut conn)
            .await
            .unwrap();
        saga.plan = Plan::Doing {
            step,
            doubt: Doubt::None,
        };
        // As after a failover without the last progress updates.
        saga.turns += lost;
        release_lease(&mut conn, &saga).await.unwrap();
        let next = claim(&mut conn).await;
        let plan = loaded(&mut conn, next).await.plan;
        assert_eq!(plan, Plan::Doing { step, doubt });
    }
}
