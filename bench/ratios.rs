//! Compares the service over HTTP with `pgbench` on the same statements, in alternating rounds.

use std::fmt::Write as _;
use std::net::TcpListener;
use std::time::Duration;

use clap::Parser;
use hyper::StatusCode;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use crate::environment::Environment;
use crate::load::{self, Call};
use crate::peers;
use crate::pgbench;
use crate::service::{Service, staff};
use crate::statements::statements;
use crate::stats::Sample;
use crate::{Result, scripts};

/// Numbers of client connections to the service.
const CONNECTIONS: [usize; 3] = [1, 16, 64];
/// A SKU that some orders contain.
const SKU: &str = "SKU01000";

/// Duration and selection of the measurements.
#[derive(Parser)]
pub struct RatiosArgs {
    /// Duration of each measurement, in seconds
    #[arg(long, default_value_t = 2)]
    seconds: u64,
    /// Number of rounds
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Only scenarios whose name contains this text
    #[arg(long)]
    only: Option<String>,
}

impl Default for RatiosArgs {
    fn default() -> Self {
        Self {
            seconds: 2,
            rounds: 5,
            only: None,
        }
    }
}

/// A request, and the same statements for the database alone.
struct Scenario {
    name: &'static str,
    call: fn(u64, u64) -> Call,
    /// The service that receives the request.
    peers: Peers,
    script: String,
    plans: &'static str,
    service: [Sample; CONNECTIONS.len()],
    database: Sample,
    resident: f64,
}

/// Behaviour of the peers; each has its own service and database.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Peers {
    /// Peers that answer at once.
    Fulfilling,
    /// Peers that never answer; placements do not wait for them.
    Silent,
}

/// Runs all measurements.
pub async fn measure(environment: &Environment, args: &RatiosArgs) -> Result<String> {
    environment.copy("fulfilling").await?;
    environment.copy("silent").await?;
    let peers = format!("http://{}", peers::start()?);
    let silence = TcpListener::bind("127.0.0.1:0")?;
    let silent = format!("http://{}", silence.local_addr()?);
    let fulfilling = [
        ("INVENTORY_SERVICE_URL", peers.as_str()),
        ("PAYMENT_SERVICE_URL", peers.as_str()),
        ("SHIPPING_SERVICE_URL", peers.as_str()),
        ("FOLLOW_INTERVAL_MS", "86400000"),
    ];
    let silent = [
        ("INVENTORY_SERVICE_URL", silent.as_str()),
        ("PAYMENT_SERVICE_URL", silent.as_str()),
        ("SHIPPING_SERVICE_URL", silent.as_str()),
        ("SETTLE_WAIT_MS", "0"),
        ("MAX_SAGAS", "1"),
    ];
    let mut scenarios = scenarios(environment, &fulfilling, &silent).await?;
    if let Some(only) = &args.only {
        scenarios.retain(|scenario| scenario.name.contains(only));
    }
    let services = (
        Service::start(environment, "fulfilling", &fulfilling).await?,
        Service::start(environment, "silent", &silent).await?,
    );
    let measurements = args.rounds * scenarios.len() * (CONNECTIONS.len() + 1);
    let bar = ProgressBar::new(measurements.try_into()?)
        .with_style(ProgressStyle::with_template("{msg:24} {wide_bar} {eta}")?);
    for _ in 0..args.rounds {
        for scenario in &mut scenarios {
            bar.set_message(scenario.name);
            run_round(environment, &services, scenario, args, &bar).await?;
        }
    }
    bar.finish_and_clear();
    services.0.stop().await?;
    services.1.stop().await?;
    environment.remove("fulfilling").await?;
    environment.remove("silent").await?;
    Ok(report(environment, args, &scenarios))
}

async fn run_round(
    environment: &Environment,
    services: &(Service, Service),
    scenario: &mut Scenario,
    args: &RatiosArgs,
    bar: &ProgressBar,
) -> Result {
    let time = Duration::from_secs(args.seconds);
    let service = match scenario.peers {
        Peers::Fulfilling => &services.0,
        Peers::Silent => &services.1,
    };
    let (orders, customers, make) = (environment.orders, environment.customers, scenario.call);
    for (connections, sample) in CONNECTIONS.into_iter().zip(&mut scenario.service) {
        let call = move || {
            let order = rand::random_range(1..=orders);
            make(order, rand::random_range(1..=customers))
        };
        let before = service.usage()?;
        let mut measured = load::run(service.address, &staff()?, connections, time, call).await?;
        if let (Some(before), Some(after)) = (before, service.usage()?) {
            measured = measured.with_cpu(after.cpu_s - before.cpu_s);
            scenario.resident = scenario.resident.max(after.resident);
        }
        sample.add(measured);
        bar.inc(1);
    }
    // pgbench uses a database whose service does not fulfil the orders.
    let database = match scenario.name {
        "placement with fulfilment" => "silent",
        _ if scenario.peers == Peers::Silent => "silent",
        _ => "fulfilling",
    };
    let measured = pgbench::run(
        environment,
        database,
        &scenario.script,
        scenario.plans,
        time,
    )
    .await?;
    scenario.database.add(measured);
    bar.inc(1);
    Ok(())
}

fn details(order: u64, _: u64) -> Call {
    Call::get(format!("/v1/orders/{order}/details/"))
}

fn history(_: u64, customer: u64) -> Call {
    Call::get(format!("/v1/orders/my-orders/{customer}/"))
}

fn list(_: u64, _: u64) -> Call {
    Call::get("/v1/orders/")
}

fn search(_: u64, _: u64) -> Call {
    Call::get(format!("/v1/orders/?search={SKU}&sort_by=created_at"))
}

fn placement(order: u64, customer: u64) -> Call {
    let sku = |number: u64| format!("SKU{:05}", number % scripts::SKUS);
    let cart = json!({
        "customer_id": customer,
        "items": [
            {"sku": sku(order), "quantity": 2, "unit_price": "100.00"},
            {"sku": sku(order + 1), "quantity": 1, "unit_price": "50.00"},
        ],
    });
    Call {
        path: "/v1/orders/create/".to_owned(),
        body: Some(cart.to_string()),
        expected: StatusCode::ACCEPTED,
    }
}

fn fulfilled(order: u64, customer: u64) -> Call {
    Call {
        expected: StatusCode::CREATED,
        ..placement(order, customer)
    }
}

async fn scenarios(
    environment: &Environment,
    fulfilling: &[(&str, &str)],
    silent: &[(&str, &str)],
) -> Result<Vec<Scenario>> {
    let calls = [details(1, 1), history(1, 1), list(1, 1), search(1, 1)];
    let reads = statements(environment, "fulfilling", fulfilling, &calls).await?;
    let placed = statements(environment, "silent", silent, &[placement(1, 1)]).await?;
    let [details_sql, history_sql, list_sql, search_sql] = &reads[..] else {
        return Err("not every request was answered from the database".into());
    };
    let placed = placed.concat();
    let scenario = |name, call, peers, script| Scenario {
        name,
        call,
        peers,
        script,
        plans: "auto",
        service: Default::default(),
        database: Sample::default(),
        resident: 0.0,
    };
    let (orders, customers) = (environment.orders, environment.customers);
    Ok(vec![
        scenario(
            "details",
            details as fn(u64, u64) -> Call,
            Peers::Fulfilling,
            scripts::details(details_sql, orders)?,
        ),
        scenario(
            "history",
            history,
            Peers::Fulfilling,
            scripts::history(history_sql, customers)?,
        ),
        scenario("list", list, Peers::Fulfilling, scripts::list(list_sql)?),
        Scenario {
            // Planned for each execution, as in the service, because the best plan depends on the search text.
            plans: "force_custom_plan",
            ..scenario(
                "search",
                search,
                Peers::Fulfilling,
                scripts::search(search_sql, SKU)?,
            )
        },
        scenario(
            "placement",
            placement,
            Peers::Silent,
            scripts::placement(&placed, customers)?,
        ),
        scenario(
            "placement with fulfilment",
            fulfilled,
            Peers::Fulfilling,
            scripts::insert_and_update(&placed, customers)?,
        ),
    ])
}

fn report(environment: &Environment, args: &RatiosArgs, scenarios: &[Scenario]) -> String {
    let mut text = format!(
        "{} orders, PostgreSQL {}, {} processors; {} rounds of {} s each. Latencies in milliseconds, \
         processor time of the service in microseconds a request, memory in MiB.\n\n\
         | what | connections | requests/s | p50 | p99 | CPU | resident | service / database |\n\
         |---|---|---|---|---|---|---|---|\n",
        environment.orders,
        environment.version,
        std::thread::available_parallelism().map_or(0, usize::from),
        args.rounds,
        args.seconds,
    );
    for scenario in scenarios {
        for (connections, sample) in CONNECTIONS.iter().zip(&scenario.service) {
            let cpu = sample
                .cpu_us()
                .map_or("?".to_owned(), |cpu| format!("{cpu:.0}"));
            let _ = writeln!(
                text,
                "| {} | {connections} | {:.0} | {:.2} | {:.2} | {cpu} | {:.0} | **{:.2}** |",
                scenario.name,
                sample.rate(),
                sample.quantile_ms(0.5),
                sample.quantile_ms(0.99),
                scenario.resident / f64::from(1 << 20),
                sample.rate() / scenario.database.rate(),
            );
        }
        let sample = &scenario.database;
        let _ = writeln!(
            text,
            "| {}, pgbench | {} | {:.0} | {:.2} | {:.2} | | | |",
            scenario.name,
            pgbench::CLIENTS,
            sample.rate(),
            sample.quantile_ms(0.5),
            sample.quantile_ms(0.99),
        );
    }
    text
}
