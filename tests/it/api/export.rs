//! Exports of whole lists.

use std::time::Duration;

use super::rows::Row;
use crate::support::app::TestApp;
use crate::support::client::Reply;

async fn export(app: &TestApp, query: &str) -> Reply {
    app.staff()
        .get(&format!("/v1/orders/export/?{query}"))
        .await
}

/// Many orders of customer 5 that differ only in their ids.
async fn many(app: &TestApp, count: i32) {
    let mut conn = app.database.connection().await;
    sqlx::query(
        "insert into orders (customer_id, order_status, payment_status, shipping_status, currency,
            subtotal, tax, shipping_fee, order_total, created_at)
         select 5, 'CONFIRMED', 'PAID', 'PENDING', 'USD', n % 7, 0, 0, n % 7, '2026-01-01Z'
         from generate_series(1, $1) n",
    )
    .bind(count)
    .execute(&mut conn)
    .await
    .unwrap();
}

#[tokio::test]
async fn an_export_has_every_order_once_as_sorted() {
    let app = TestApp::start().await;
    many(&app, 1_203).await;
    let reply = export(&app, "format=ndjson&sort_by=total&sort_dir=asc").await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.header("content-type"), Some("application/x-ndjson"));
    let disposition = "attachment; filename=\"orders.ndjson\"";
    assert_eq!(reply.header("content-disposition"), Some(disposition));
    let orders: Vec<serde_json::Value> = reply
        .text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let key = |order: &serde_json::Value| {
        let total: f64 = order["order_total"].as_str().unwrap().parse().unwrap();
        (total as i64, order["order_id"].as_i64().unwrap())
    };
    assert_eq!(orders.len(), 1_203);
    assert!(orders.windows(2).all(|pair| key(&pair[0]) < key(&pair[1])));
    let csv = export(&app, "").await;
    assert_eq!(csv.text.lines().count(), 1_204);
}

#[tokio::test]
async fn a_customer_exports_their_own_orders_with_the_same_filters() {
    let app = TestApp::start().await;
    let of = |customer_id, order_status| Row {
        customer_id,
        order_status,
        ..Row::default()
    };
    let rows = [of(5, "PENDING"), of(6, "PENDING"), of(5, "CONFIRMED")];
    let ids = Row::insert_all(&app, &rows).await;
    let reply = app
        .customer(5)
        .get("/v1/orders/export/?status_filter=pending")
        .await;
    let lines: Vec<_> = reply.text.lines().collect();
    assert_eq!(lines.len(), 2, "{}", reply.text);
    assert!(lines[1].starts_with(&format!("{},5,PENDING,", ids[0])));
    let refused = app
        .customer(5)
        .get("/v1/orders/export/?format=xls&page=1&x=1")
        .await;
    refused.assert_problem(400, "invalid-request");
    assert_eq!(refused.pointers().len(), 3, "{refused:?}");
}

#[tokio::test]
async fn no_exported_cell_is_a_formula() {
    let app = TestApp::start().await;
    let mut cart = super::whole_cart();
    cart["shipping_address"] = "=HYPERLINK(\"http://evil.example\"),\"x\"".into();
    cart["items"][0]["name"] = "Lamp; \"best\"".into();
    app.customer(5).place(&cart).await;
    let reply = export(&app, "format=csv").await;
    let line = reply.text.lines().nth(1).unwrap();
    assert!(
        line.contains("\"'=HYPERLINK(\"\"http://evil.example\"\"),\"\"x\"\"\""),
        "{line}"
    );
    assert!(
        line.contains("\"2 × SKU0001 Lamp; \"\"best\"\"; 1 × SKU0002\""),
        "{line}"
    );
}

#[tokio::test]
async fn a_failed_export_aborts_the_connection() {
    let app = TestApp::start().await;
    many(&app, 20_000).await;
    let request = app
        .staff()
        .request(reqwest::Method::GET, "/v1/orders/export/?format=ndjson");
    let mut response = request.send().await.unwrap();
    assert_eq!(response.status(), 200);
    assert!(response.chunk().await.unwrap().is_some());
    // The client stops reading; meanwhile the table is removed.
    let mut conn = app.database.connection().await;
    sqlx::query("alter table orders rename to orders_elsewhere")
        .execute(&mut conn)
        .await
        .unwrap();
    let read_on = async {
        loop {
            match response.chunk().await {
                Ok(Some(_)) => {}
                Ok(None) => return false,
                Err(_) => return true,
            }
        }
    };
    let broken = tokio::time::timeout(Duration::from_secs(60), read_on).await;
    assert_eq!(broken, Ok(true), "half a file looks like a whole one");
}
