//! Connections break at random moments while customers place and cancel orders and retry until they
//! get a response.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use private_postgres::{Durability, Postgres, Settings};
use sandbox::Sandbox;
use tokio_util::sync::CancellationToken;

use crate::support::app::{TestApp, environment_of};
use crate::support::client::{Client, Reply, cart, send};
use crate::support::database::create_tables;
use crate::support::ledger::{judge, until_charged};
use crate::support::service::{Service, eventually};

/// The number of times connections are cut.
const ROUNDS: usize = 150;
/// The number of restarts of the database.
const RESTARTS: usize = 4;
/// The number of orders charged between two restarts, and while connections are cut.
const ORDERS: usize = 12;
const CUSTOMERS: i64 = 8;

/// An acknowledged order.
#[derive(Clone, Copy, Debug)]
pub struct Acknowledged {
    pub customer: i64,
    pub order_id: i64,
    /// When the client received the acknowledgement.
    pub at: Instant,
}

/// Retries until the response is not a 503.
async fn answered(mut ask: impl AsyncFnMut() -> Reply) -> Reply {
    eventually("an answer", async || {
        let reply = ask().await;
        if reply.status == 503 {
            reply.assert_problem(503, "unavailable");
            assert_eq!(reply.header("retry-after"), Some("1"));
            return None;
        }
        assert!(reply.status < 500, "{reply:?}");
        Some(reply)
    })
    .await
}

/// Places orders, each with its own key until it is acknowledged, and cancels some of them.
async fn customer(base: &str, number: i64, over: &CancellationToken) -> Vec<Acknowledged> {
    let client = Client::customer(base, number);
    let mut acknowledged = Vec::new();
    for turn in 0.. {
        if over.is_cancelled() {
            break;
        }
        let (key, body) = (format!("{number}-{turn}"), cart("SKU0001", 1, "10.00"));
        let placed = answered(async || client.place_with_key(&key, &body).await).await;
        assert!(matches!(placed.status, 201 | 202), "{placed:?}");
        let order_id = placed.order_id();
        acknowledged.push(Acknowledged {
            customer: number,
            order_id,
            at: Instant::now(),
        });
        let details = answered(async || client.details(order_id).await).await;
        assert_eq!(details.status, 200, "{details:?}");
        if turn % 3 == 0 {
            let path = format!("/v1/orders/{order_id}/cancel/");
            let cancel = async || {
                let request = client.request(reqwest::Method::POST, &path);
                send(request.header("Idempotency-Key", &key)).await
            };
            let cancelled = answered(cancel).await;
            assert!(matches!(cancelled.status, 200 | 202), "{cancelled:?}");
        }
    }
    acknowledged
}

/// Runs customers during `trouble` and judges the result: every acknowledged order exists once, and
/// no other.
pub async fn weather(
    base: &str,
    sandbox: &Sandbox,
    trouble: impl AsyncFnOnce(),
) -> Vec<Acknowledged> {
    let over = CancellationToken::new();
    let customers = (1..=CUSTOMERS).map(|number| customer(base, number, &over));
    let trouble = async {
        trouble().await;
        over.cancel();
    };
    let (acknowledged, ()) = tokio::join!(join_all(customers), trouble);
    let acknowledged = acknowledged.concat();
    let numbers: Vec<i64> = acknowledged.iter().map(|order| order.order_id).collect();
    let orders = judge(base, sandbox, &numbers).await;
    let distinct: BTreeSet<i64> = numbers.into_iter().collect();
    assert_eq!(distinct.len(), acknowledged.len(), "two keys, one order");
    assert_eq!(orders.len(), acknowledged.len(), "one key, two orders");
    acknowledged
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn randomly_cut_connections_lose_and_repeat_nothing() {
    let app = TestApp::with(&[
        ("LEASE_S", "1"),
        ("PEER_TIMEOUT_MS", "150"),
        ("SETTLE_WAIT_MS", "500"),
    ])
    .await;
    let mut conn = app.database.connection().await;
    let mut cutting = async || {
        let mut cut = 0_i64;
        for _ in 0..ROUNDS {
            cut += sqlx::query_scalar::<_, i64>(
                "select count(pg_terminate_backend(pid)) from pg_stat_activity \
                 where datname = current_database() and pid <> pg_backend_pid() \
                 and random() < 0.5",
            )
            .fetch_one(&mut conn)
            .await
            .unwrap();
            // Random moments, which this test is about.
            let pause = rand::random_range(0..40);
            tokio::time::sleep(Duration::from_millis(pause)).await;
        }
        assert!(cut > 0, "nothing was cut");
    };
    weather(&app.base, &app.sandbox, async || {
        tokio::join!(cutting(), until_charged(&app.sandbox, ORDERS));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_restart_under_load_loses_and_repeats_nothing() {
    let sandbox = TestApp::sandbox().await;
    let folder = tempfile::tempdir().unwrap();
    let settings = |port| Settings {
        data_dir: folder.path().join("postgres"),
        port,
        // A graceful shutdown writes everything to disk.
        durability: Durability::Throwaway,
        max_connections: 40,
        fresh: false,
    };
    let server = Postgres::start(settings(None), |_| {}).await.unwrap();
    let port = server.port();
    create_tables(&server.options("postgres")).await;
    let mut environment = environment_of(&server.url("postgres"), &sandbox);
    for (name, value) in [
        ("LEASE_S", "1"),
        ("PEER_TIMEOUT_MS", "150"),
        ("SETTLE_WAIT_MS", "500"),
    ] {
        environment.set(name, value);
    }
    let service = Service::start(&environment).await;
    let server = &mut Some(server);
    weather(&service.base, &sandbox, async || {
        for _ in 0..RESTARTS {
            until_charged(&sandbox, ORDERS).await;
            server.take().unwrap().stop().await.unwrap();
            *server = Some(Postgres::start(settings(Some(port)), |_| {}).await.unwrap());
        }
    })
    .await;
    server.take().unwrap().stop().await.unwrap();
}
