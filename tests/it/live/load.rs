//! The cost of idle subscribers in the real binary. Prints figures and asserts nothing about them.
//!
//! ```sh
//! cargo build --release
//! ulimit -n 20000
//! TEST_BINARY=$PWD/target/release/order-service \
//!   cargo test --test it -- --ignored --nocapture idle_subscribers_cost_little
//! ```

use std::fs;
use std::time::{Duration, Instant};

use futures_util::stream::{self, StreamExt as _};
use sqlx::Executor as _;

use crate::support::app::{TestApp, environment};
use crate::support::client::{Client, cart};
use crate::support::database::TestDatabase;
use crate::support::service::Service;
use crate::support::subscriber::Subscriber;

/// The number of subscribers, each to its own order.
const SUBSCRIBERS: i64 = 5_000;
/// The number of orders, with this many events each.
const ORDERS: i64 = 200_000;
const EVENTS: i64 = 6;
/// The duration of the measurement.
const WATCHED: Duration = Duration::from_secs(60);

#[derive(Clone, Copy)]
struct Usage {
    resident_kb: u64,
    cpu_s: f64,
}

/// The resource usage of a process.
fn usage(pid: u32) -> Usage {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let resident_kb = resident.unwrap().trim().trim_end_matches(" kB").parse();
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let after_name: Vec<&str> = stat.rsplit_once(')').unwrap().1.split(' ').collect();
    let ticks = |at: usize| after_name[at].parse::<f64>().unwrap();
    Usage {
        resident_kb: resident_kb.unwrap(),
        cpu_s: (ticks(12) + ticks(13)) / 100.0,
    }
}

async fn fill(database: &TestDatabase) {
    let mut connection = database.connection().await;
    for sql in [
        format!(
            "insert into orders (order_id, customer_id, order_status, payment_status, shipping_status,
                currency, subtotal, tax, shipping_fee, order_total, version)
            select n, n, 'CONFIRMED', 'PAID', 'PENDING', 'USD', 10, 0, 0, 10, {EVENTS}
            from generate_series(1, {ORDERS}) n"
        ),
        format!(
            "insert into order_events (order_id, seq, code, actor)
            select n, seq, 'order_placed', 'customer:' || n
            from generate_series(1, {ORDERS}) n, generate_series(1, {EVENTS}) seq"
        ),
        // Due in the future, so that no worker claims them.
        format!(
            "insert into fulfilments (order_id, phase, due_at)
            select n, 'completed', now() + interval '1 day' from generate_series(1, {ORDERS}) n"
        ),
        "select setval('orders_order_id_seq', 1000000)".to_owned(),
    ] {
        connection.execute(sqlx::AssertSqlSafe(sql)).await.unwrap();
    }
    connection.execute("vacuum analyze").await.unwrap();
}

/// The execution time of the polling statement. Its CPU time in the database cannot be measured
/// from outside.
async fn statement_ms(database: &TestDatabase) -> f64 {
    let sql = format!(
        "explain (analyze, format json) select e.order_id, e.seq, e.code, e.actor, e.data, e.at
        from unnest((select array_agg(n * 7) from generate_series(1, {SUBSCRIBERS}) n)::bigint[],
            (select array_agg({EVENTS}) from generate_series(1, {SUBSCRIBERS}))::integer[]) as w (order_id, seen)
        cross join lateral (
            select order_id, seq, code, actor, data, at from order_events
            where order_id = w.order_id and seq > w.seen order by seq limit 50
        ) e order by e.order_id, e.seq"
    );
    let mut best = f64::MAX;
    for _ in 0..5 {
        let plan: serde_json::Value = sqlx::query_scalar(sqlx::AssertSqlSafe(sql.clone()))
            .fetch_one(&mut database.connection().await)
            .await
            .unwrap();
        best = best.min(plan[0]["Execution Time"].to_string().parse().unwrap());
    }
    best
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes, and thousands of file descriptors"]
async fn idle_subscribers_cost_little() {
    let database = TestDatabase::new().await;
    let sandbox = TestApp::sandbox().await;
    fill(&database).await;
    let mut environment = environment(&database, &sandbox);
    environment.set("LIVE_MAX_LISTENERS", "6000");
    environment.set("POLL_INTERVAL_MS", "500");
    environment.set("RUST_LOG", "info");
    let service = Service::start(&environment).await;
    let customer = Client::customer(&service.base, 1_000_000);
    let warm = customer.place(&cart("SKU0001", 1, "10.00")).await;
    assert_eq!(warm.status, 201);
    let before = usage(service.pid());
    tokio::time::sleep(WATCHED / 4).await;
    let idle_s = (usage(service.pid()).cpu_s - before.cpu_s) * 4.0;
    let began = Instant::now();
    let listeners: Vec<Subscriber> = stream::iter(1..=SUBSCRIBERS)
        .map(|number| {
            let client = Client::customer(&service.base, number * 7);
            async move { Subscriber::start(&client, number * 7, Some(EVENTS)).await }
        })
        .buffer_unordered(32)
        .collect()
        .await;
    let connecting = began.elapsed();
    let connected = usage(service.pid());
    tokio::time::sleep(WATCHED).await;
    let after = usage(service.pid());
    println!("listeners: {}", listeners.len());
    println!("connecting all of them: {connecting:.1?}");
    println!("resident before: {} KiB", before.resident_kb);
    println!("resident with them: {} KiB", after.resident_kb);
    let each = (after.resident_kb - before.resident_kb) as f64 / SUBSCRIBERS as f64;
    println!("memory: {each:.1} KiB a listener");
    let seconds = WATCHED.as_secs_f64();
    let share = |cpu_s: f64| cpu_s / seconds * 100.0;
    println!(
        "processor without listeners: {:.1} % of a core",
        share(idle_s)
    );
    println!(
        "processor with them, heartbeats included: {:.1} % of a core",
        share(after.cpu_s - connected.cpu_s)
    );
    println!(
        "the statement in the database: {:.1} ms",
        statement_ms(&database).await
    );
}
