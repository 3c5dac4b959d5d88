//! Several replicas on one database, killed and paused at random while customers place and cancel.

use std::time::{Duration, Instant};

use order_service::config::Environment;
use order_service::dev::postgres::{Durability, Postgres, Settings};
use order_service::sandbox::{Fault, Kind, Sandbox};
use reqwest::Method;
use serde_json::Value;
use sqlx::{Connection as _, PgConnection};

use crate::support::app::{TestApp, environment_of};
use crate::support::client::{Client, cart};
use crate::support::database::TestDatabase;
use crate::support::ledger::judge;
use crate::support::replicated::crash;
use crate::support::service::{Service, eventually};

const REPLICAS: usize = 3;
/// How long it is stormy.
const STORM: Duration = Duration::from_secs(6);

/// A second's lease, so that orders change hands all the time.
fn impatient(url: &str, sandbox: &Sandbox) -> Environment {
    let mut environment = environment_of(url, sandbox);
    environment.set("LEASE_S", "1");
    environment.set("PEER_TIMEOUT_MS", "150");
    environment.set("SETTLE_WAIT_MS", "500");
    environment
}

/// Places orders and cancels some of them, whatever becomes of the requests, until it is told to
/// stop; returns the numbers of the orders that were acknowledged.
async fn customer(number: i64, bases: Vec<String>, until: Instant) -> Vec<i64> {
    let mut acknowledged = Vec::new();
    for turn in 0.. {
        if Instant::now() > until {
            break;
        }
        let base = &bases[rand::random_range(0..bases.len())];
        let client = Client::customer(base, number);
        let key = format!("{number}-{turn}");
        let request = client
            .request(Method::POST, "/v1/orders/create/")
            .header("Idempotency-Key", key)
            .json(&cart("SKU0001", 1, "10.00"))
            .timeout(Duration::from_secs(2));
        let Ok(placed) = request.send().await else {
            continue;
        };
        let Ok(order) = placed.json::<Value>().await else {
            continue;
        };
        let Some(order_id) = order["order_id"].as_i64() else {
            continue;
        };
        acknowledged.push(order_id);
        if turn % 3 == 0 {
            let path = format!("/v1/orders/{order_id}/cancel/");
            let cancel = client
                .request(Method::POST, &path)
                .timeout(Duration::from_secs(2));
            let _ = cancel.send().await;
        }
    }
    acknowledged
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_and_paused_replicas_lose_and_repeat_nothing() {
    let sandbox = TestApp::sandbox().await;
    let database = TestDatabase::new().await;
    let environment = impatient(&database.url(), &sandbox);
    for kind in [Kind::ErrorAfter, Kind::DropBefore, Kind::Garbage] {
        sandbox.set_fault(Fault::everywhere(kind).at_rate(0.03));
    }
    let mut replicas = Vec::new();
    for _ in 0..REPLICAS {
        replicas.push(Service::start(&environment).await);
    }
    // Ports stay, whoever serves at them.
    let environments: Vec<Environment> = replicas
        .iter()
        .map(|replica| {
            let mut environment = environment.clone();
            environment.set("PORT", replica.port());
            environment
        })
        .collect();
    let bases: Vec<String> = replicas
        .iter()
        .map(|replica| replica.base.clone())
        .collect();

    let until = Instant::now() + STORM;
    let customers: Vec<_> = (1..=12)
        .map(|number| tokio::spawn(customer(number, bases.clone(), until)))
        .collect();
    while Instant::now() < until {
        let victim = rand::random_range(0..REPLICAS);
        if rand::random() {
            replicas[victim].kill().await;
            replicas[victim] = Service::start(&environments[victim]).await;
        } else {
            // Longer than a lease: it wakes up superseded, in the middle of whatever it was doing.
            replicas[victim].pause();
            tokio::time::sleep(Duration::from_millis(1500)).await;
            replicas[victim].resume();
        }
    }
    sandbox.clear_faults();
    let mut acknowledged = Vec::new();
    for customer in customers {
        acknowledged.extend(customer.await.unwrap());
    }
    judge(&bases[0], &sandbox, &acknowledged).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_crash_under_load_loses_no_acknowledged_order() {
    let sandbox = TestApp::sandbox().await;
    let folder = tempfile::tempdir().unwrap();
    let settings = |port| Settings {
        data_dir: folder.path().join("postgres"),
        port,
        // What is committed must outlive the crash, what is lazy need not.
        durability: Durability::Durable,
        max_connections: 40,
        fresh: false,
    };
    let mut server = Postgres::start(settings(None), |_| {}).await.unwrap();
    let port = server.port();
    let mut conn = PgConnection::connect_with(&server.options("postgres"))
        .await
        .unwrap();
    order_service::db::MIGRATIONS.run(&mut conn).await.unwrap();
    drop(conn);
    let environment = impatient(&server.url("postgres"), &sandbox);
    let service = Service::start(&environment).await;

    let until = Instant::now() + STORM;
    let bases = vec![service.base.clone()];
    let customers: Vec<_> = (1..=12)
        .map(|number| tokio::spawn(customer(number, bases.clone(), until)))
        .collect();
    for _ in 0..2 {
        tokio::time::sleep(Duration::from_millis(1500)).await;
        crash(&folder.path().join("postgres")).await;
        drop(server);
        server = eventually("the database is back", async || {
            Postgres::start(settings(Some(port)), |_| {}).await.ok()
        })
        .await;
    }
    let mut acknowledged = Vec::new();
    for customer in customers {
        acknowledged.extend(customer.await.unwrap());
    }
    judge(&service.base, &sandbox, &acknowledged).await;
    server.stop().await.unwrap();
}
