//! The Prometheus endpoint.

use std::collections::{BTreeMap, BTreeSet};

use reqwest::Method;
use sqlx::{Connection as _, Executor as _};

use super::whole_cart;
use crate::support::app::TestApp;
use crate::support::client::{cart, send};
use crate::support::service::eventually;

/// The metric names that the source registers.
fn registered() -> BTreeSet<String> {
    let source: String = include_str!("../../../src/metrics.rs")
        .split_whitespace()
        .collect();
    let kinds = [
        "counter(\"",
        "counters(\"",
        "gauge(\"",
        "gauges(\"",
        "histogram(\"",
        "histograms(\"",
    ];
    let mut names = BTreeSet::new();
    for kind in kinds {
        for found in source.split(&format!("={kind}")).skip(1) {
            names.insert(found.split('"').next().unwrap().to_owned());
        }
    }
    names
}

/// The samples of a scrape: name with labels, value.
async fn scrape(app: &TestApp) -> BTreeMap<String, f64> {
    let reply = app.anonymous().get("/metrics").await;
    assert_eq!(reply.status, 200);
    assert_eq!(
        reply.header("content-type"),
        Some("text/plain; version=0.0.4")
    );
    reply
        .text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| {
            let (sample, value) = line.rsplit_once(' ').unwrap();
            (sample.to_owned(), value.parse().unwrap())
        })
        .collect()
}

fn family(sample: &str) -> &str {
    let name = sample.split('{').next().unwrap();
    ["_bucket", "_sum", "_count"]
        .iter()
        .find_map(|suffix| name.strip_suffix(suffix))
        .unwrap_or(name)
}

#[tokio::test]
async fn every_metric_exists_after_one_order() {
    let app = TestApp::start().await;
    assert_eq!(app.customer(5).place(&whole_cart()).await.status, 201);
    assert!(registered().len() >= 14, "{:?}", registered());
    eventually("every metric is scraped", async || {
        let samples = scrape(&app).await;
        let found: BTreeSet<_> = samples
            .keys()
            .map(|sample| family(sample).to_owned())
            .collect();
        let missing: Vec<_> = registered().difference(&found).cloned().collect();
        eprintln!("missing: {missing:?}");
        missing.is_empty().then_some(())
    })
    .await;
    let samples = scrape(&app).await;
    assert_eq!(samples["orders_placed_total"], 1.0);
    assert_eq!(samples["payments_failed_total"], 0.0);
    assert_eq!(samples["inventory_reserve_latency_ms_count"], 1.0);
    assert_eq!(samples["orders_cancelled_total{reason=\"staff\"}"], 0.0);
    assert_eq!(samples["sagas_stuck{age=\"older\"}"], 0.0);
    let placed = r#"http_requests_total{method="POST",route="/v1/orders/create/",status="201"}"#;
    assert_eq!(samples[placed], 1.0);
}

#[tokio::test]
async fn refusals_and_cancellations_are_counted() {
    let app = TestApp::start().await;
    let customer = app.customer(5);
    customer.place(&cart("SKU0001", 1, "402.00")).await;
    customer.place(&cart("OUT-OF-STOCK", 1, "1.00")).await;
    let placed = customer.place(&whole_cart()).await;
    customer.cancel(placed.order_id()).await;
    customer.place(&serde_json::json!({})).await;
    let samples = scrape(&app).await;
    for (sample, value) in [
        ("orders_placed_total", 3.0),
        ("payments_failed_total", 1.0),
        ("stockouts_total", 1.0),
        ("orders_cancelled_total{reason=\"payment_declined\"}", 1.0),
        ("orders_cancelled_total{reason=\"out_of_stock\"}", 1.0),
        ("orders_cancelled_total{reason=\"customer_request\"}", 1.0),
    ] {
        assert_eq!(samples[sample], value, "{sample}");
    }
}

#[tokio::test]
async fn label_cardinality_is_bounded() {
    let app = TestApp::start().await;
    let mut connection = app.database.connection().await;
    connection
        .execute("alter table orders alter column order_id restart with 876543")
        .await
        .unwrap();
    let mut numbers = Vec::new();
    for _ in 0..3 {
        let body = cart("SKU0001", 1, "1.00");
        let placed = app.customer(987_654).place(&body).await;
        numbers.push(placed.order_id());
        app.customer(987_654).details(placed.order_id()).await;
        app.customer(987_654)
            .get("/v1/orders/my-orders/987654/")
            .await;
    }
    let before = scrape(&app).await.len();
    for round in 0..30 {
        app.anonymous().get(&format!("/nowhere/{round}")).await;
        app.anonymous()
            .get(&format!("/orders-doc/{round}.js"))
            .await;
        app.customer(5)
            .get(&format!("/v1/orders/{}/details/", 1_000_000 + round))
            .await;
        app.customer(5).get(&format!("/v1/orders/x{round}/")).await;
        let method = Method::from_bytes(format!("BREW{round}").as_bytes()).unwrap();
        send(app.anonymous().request(method, "/health/")).await;
        send(
            app.anonymous()
                .request(Method::GET, "/health/")
                .header("x-request-id", round),
        )
        .await;
    }
    let samples = scrape(&app).await;
    // A counter and a histogram of 14 buckets for each of six routes and statuses, and for the
    // scrapes.
    let grown = samples.len() - before;
    assert!(grown <= 8 * 18, "{grown} more samples");
    let unknown: Vec<_> = samples
        .keys()
        .filter(|sample| sample.starts_with("http_requests_total") && sample.contains("\"other\""))
        .collect();
    assert_eq!(
        unknown,
        [
            r#"http_requests_total{method="GET",route="other",status="404"}"#,
            r#"http_requests_total{method="other",route="/health/",status="405"}"#,
        ]
    );
    for sample in samples
        .keys()
        .filter(|sample| !sample.starts_with("http_request_duration"))
    {
        for number in numbers.iter().chain(&[987_654]) {
            assert!(!sample.contains(&format!("\"{number}\"")), "{sample}");
            assert!(!sample.contains(&format!("/{number}/")), "{sample}");
        }
    }
}

#[tokio::test]
async fn the_lag_of_unclaimed_due_sagas_is_reported() {
    let mut app = TestApp::start().await;
    let order_id = app.customer(5).place(&whole_cart()).await.order_id();
    app.stop().await;
    let late = "update fulfilments set due_at = now() - interval '1 hour' where order_id = $1";
    let mut connection = app.database.connection().await;
    sqlx::query(late)
        .bind(order_id)
        .execute(&mut connection)
        .await
        .unwrap();
    // Claiming skips locked rows.
    let mut holder = connection.begin().await.unwrap();
    holder
        .execute("select 1 from fulfilments for update")
        .await
        .unwrap();
    app.start_again().await;
    eventually("the order is seen to be due", async || {
        let lag = scrape(&app).await["sagas_due_lag_seconds"];
        (lag >= 3600.0).then_some(())
    })
    .await;
}
