//! Measures the duration and memory use of lists, searches and an export.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use bytes::Bytes;
use clap::Parser;
use serde_json::Value;

use crate::Result;
use crate::environment::Environment;
use crate::load::{Call, Client};
use crate::service::{Service, staff};
use crate::stats::Sample;

/// Number of measurements of each request.
#[derive(Parser)]
pub struct ListsArgs {
    /// How often each request is made
    #[arg(long, default_value_t = 100)]
    times: usize,
}

/// The measured requests: the path, and the page to reach by cursor.
const LISTS: [(&str, usize); 26] = [
    ("", 1),
    ("", 100),
    ("sort_dir=asc", 1),
    ("sort_by=total", 1),
    ("sort_by=total", 100),
    ("status_filter=DELIVERED", 1),
    ("status_filter=DELIVERED&sort_by=total", 100),
    ("status_filter=CONFIRMED&sort_dir=asc", 1),
    ("status_filter=CANCELLED", 1),
    ("payment_filter=FAILED&sort_by=total", 1),
    ("shipping_filter=FAILED", 1),
    ("open=true", 1),
    ("needs_attention=true", 1),
    (
        "created_from=2025-05-01T00:00:00Z&created_to=2025-05-02T00:00:00Z&sort_by=total",
        1,
    ),
    ("min_total=400&max_total=401", 1),
    ("currency=USD", 1),
    ("currency=EUR", 1),
    ("sku=SKU00001", 1),
    ("sku=SKU02000", 1),
    ("search=SKU00001", 1),
    ("search=SKU02000", 1),
    ("search=SKU0", 1),
    ("search=lamp", 1),
    ("search=lamp", 100),
    ("search=TRK100000777", 1),
    ("search=nonesuch", 1),
];

/// Runs all measurements.
pub async fn measure(environment: &Environment, args: &ListsArgs) -> Result<String> {
    let service = Service::start(environment, &environment.base(), &[]).await?;
    let mut client = Client::connect(service.address, &staff()?).await?;
    let mut text = format!(
        "{} orders, PostgreSQL {}; one connection, {} requests each. Milliseconds.\n\n\
         | request | page | p50 | p99 |\n|---|---|---|---|\n",
        environment.orders, environment.version, args.times
    );
    for (query, page) in LISTS {
        let path = path_of(&mut client, query, page).await?;
        let sample = measure_request(&mut client, &path, args.times).await?;
        line(&mut text, &format!("`?{query}`"), page, &sample);
    }
    let path = "/v1/orders/my-orders/7/";
    line(
        &mut text,
        "a customer's history",
        1,
        &measure_request(&mut client, path, args.times).await?,
    );
    let path = "/v1/orders/12345/details/";
    line(
        &mut text,
        "an order",
        1,
        &measure_request(&mut client, path, args.times).await?,
    );
    text.push_str(&export(&service).await?);
    service.stop().await?;
    Ok(text)
}

fn line(text: &mut String, what: &str, page: usize, sample: &Sample) {
    let (p50, p99) = (sample.quantile_ms(0.5), sample.quantile_ms(0.99));
    let _ = writeln!(text, "| {what} | {page} | {p50:.1} | {p99:.1} |");
}

/// The path of a page, found by following the cursors of the previous pages.
async fn path_of(client: &mut Client, query: &str, page: usize) -> Result<String> {
    let mut path = format!("/v1/orders/?{query}");
    for _ in 1..page {
        let list: Value = serde_json::from_slice(&client.send(&Call::get(&path)).await?)?;
        let Some(next) = list["next"].as_str() else {
            break;
        };
        let at = next.find("/v1/").ok_or("a link without a path")?;
        next[at..].clone_into(&mut path);
    }
    Ok(path)
}

async fn measure_request(client: &mut Client, path: &str, times: usize) -> Result<Sample> {
    let begin = Instant::now();
    let mut latencies = Vec::new();
    for _ in 0..times {
        let started = Instant::now();
        let _: Bytes = client.send(&Call::get(path)).await?;
        latencies.push(u32::try_from(started.elapsed().as_micros())?);
    }
    Ok(Sample::new(latencies, begin.elapsed()))
}

/// Reads an export of all orders and samples the memory of the service meanwhile.
async fn export(service: &Service) -> Result<String> {
    let url = format!("http://{}/v1/orders/export/?format=ndjson", service.address);
    let Some(before) = service.usage()? else {
        return Ok(String::new());
    };
    let begin = Instant::now();
    let mut answer = reqwest::Client::builder()
        .build()?
        .get(url)
        .bearer_auth(staff()?)
        .send()
        .await?
        .error_for_status()?;
    let (mut bytes, mut orders, mut peak) = (0, 0, before.resident);
    let mut looked = Instant::now();
    while let Some(chunk) = answer.chunk().await? {
        bytes += chunk.len();
        orders += chunk.iter().filter(|byte| **byte == b'\n').count();
        if looked.elapsed() > Duration::from_millis(500) {
            looked = Instant::now();
            peak = peak.max(service.usage()?.map_or(0.0, |usage| usage.resident));
        }
    }
    let mib = f64::from(1 << 20);
    Ok(format!(
        "\nAn export of {orders} orders ({:.0} MiB of NDJSON) took {:.0} s; the service had {:.0} MiB of memory \
         before it and {:.0} MiB at its peak.\n",
        bytes as f64 / mib,
        begin.elapsed().as_secs_f64(),
        before.resident / mib,
        peak / mib,
    ))
}
