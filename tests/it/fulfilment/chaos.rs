//! Several replicas on one database, killed and paused at random while customers place and cancel
//! orders.

use std::time::Duration;

use order_service::config::Environment;
use private_postgres::{Durability, Postgres, Settings};
use reqwest::Method;
use sandbox::{Fault, Kind, Sandbox};
use serde_json::Value;
use sqlx::PgConnection;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::support::app::{TestApp, environment_of};
use crate::support::client::{Client, cart};
use crate::support::database::{TestDatabase, create_tables};
use crate::support::ledger::{judge, until_charged};
use crate::support::replicated::crash;
use crate::support::service::{Service, eventually};

const REPLICAS: usize = 3;
/// The number of kills, and of pauses.
const OF_EACH: usize = 3;
/// The number of orders charged before each fault, and after the last one.
const ORDERS: usize = 24;

/// A lease of one second, so that orders often get a new lease holder.
fn impatient(url: &str, sandbox: &Sandbox) -> Environment {
    let mut environment = environment_of(url, sandbox);
    environment.set("LEASE_S", "1");
    environment.set("PEER_TIMEOUT_MS", "150");
    environment.set("SETTLE_WAIT_MS", "500");
    environment
}

/// Places orders and cancels some of them until `over`, and ignores failures. Returns the ids of the
/// acknowledged orders.
async fn customer(number: i64, bases: Vec<String>, over: CancellationToken) -> Vec<i64> {
    let mut acknowledged = Vec::new();
    for turn in 0.. {
        if over.is_cancelled() {
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

/// Customers that place orders at the same time.
struct Customers {
    over: CancellationToken,
    tasks: Vec<JoinHandle<Vec<i64>>>,
}

impl Customers {
    fn start(bases: &[String]) -> Self {
        let over = CancellationToken::new();
        let tasks = (1..=12)
            .map(|number| tokio::spawn(customer(number, bases.to_vec(), over.clone())))
            .collect();
        Self { over, tasks }
    }

    /// Stops them, and returns the ids of the acknowledged orders.
    async fn stop(self) -> Vec<i64> {
        self.over.cancel();
        let mut acknowledged = Vec::new();
        for task in self.tasks {
            acknowledged.extend(task.await.unwrap());
        }
        acknowledged
    }
}

/// Waits until every current lease has ended or has a new holder. A row that a paused replica has
/// locked stays with it.
async fn until_leases_change_hands(conn: &mut PgConnection) {
    let leases: Vec<(i64, i64)> =
        sqlx::query_as("select order_id, epoch from fulfilments where leased")
            .fetch_all(&mut *conn)
            .await
            .unwrap();
    let (orders, epochs): (Vec<_>, Vec<_>) = leases.into_iter().unzip();
    eventually("the leases change hands", async || {
        let same = sqlx::query(
            "select from fulfilments f join unnest($1::bigint[], $2::bigint[]) l (order_id, epoch) \
             using (order_id, epoch) where f.leased for update of f skip locked",
        )
        .bind(&orders)
        .bind(&epochs)
        .fetch_optional(&mut *conn)
        .await
        .unwrap();
        same.is_none().then_some(())
    })
    .await;
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
    // A restarted replica uses the same port.
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

    let mut conn = database.connection().await;
    let customers = Customers::start(&bases);
    let (mut kills, mut pauses) = (OF_EACH, OF_EACH);
    while kills + pauses > 0 {
        until_charged(&sandbox, ORDERS).await;
        let victim = rand::random_range(0..REPLICAS);
        if rand::random_range(0..kills + pauses) < kills {
            kills -= 1;
            replicas[victim].kill().await;
            replicas[victim] = Service::start(&environments[victim]).await;
        } else {
            pauses -= 1;
            // The replica resumes in the middle of its work, with its leases superseded.
            replicas[victim].pause();
            until_leases_change_hands(&mut conn).await;
            replicas[victim].resume();
        }
    }
    sandbox.clear_faults();
    let acknowledged = customers.stop().await;
    judge(&bases[0], &sandbox, &acknowledged).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_crash_under_load_loses_no_acknowledged_order() {
    let sandbox = TestApp::sandbox().await;
    let folder = tempfile::tempdir().unwrap();
    let settings = |port| Settings {
        data_dir: folder.path().join("postgres"),
        port,
        // Synchronous commits survive the crash; asynchronous ones may be lost.
        durability: Durability::Durable,
        max_connections: 40,
        fresh: false,
    };
    let mut server = Postgres::start(settings(None), |_| {}).await.unwrap();
    let port = server.port();
    create_tables(&server.options("postgres")).await;
    let environment = impatient(&server.url("postgres"), &sandbox);
    let service = Service::start(&environment).await;

    let customers = Customers::start(std::slice::from_ref(&service.base));
    for _ in 0..2 {
        until_charged(&sandbox, ORDERS).await;
        crash(&folder.path().join("postgres")).await;
        drop(server);
        server = eventually("the database is back", async || {
            Postgres::start(settings(Some(port)), |_| {}).await.ok()
        })
        .await;
    }
    until_charged(&sandbox, ORDERS).await;
    let acknowledged = customers.stop().await;
    judge(&service.base, &sandbox, &acknowledged).await;
    server.stop().await.unwrap();
}
