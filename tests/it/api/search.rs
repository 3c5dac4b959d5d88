//! What the search text and the SKU find.

use url::form_urlencoded::byte_serialize;

use super::rows::Row;
use crate::support::app::TestApp;
use crate::support::client::Client;

async fn found(client: &Client, name: &str, text: &str) -> Vec<i64> {
    let text: String = byte_serialize(text.as_bytes()).collect();
    let reply = client
        .get(&format!(
            "/v1/orders/?sort_by=order_id&sort_dir=asc&{name}={text}"
        ))
        .await;
    assert_eq!(reply.status, 200, "{text}: {reply:?}");
    let results = reply.body["results"].as_array().unwrap();
    assert_eq!(reply.body["count"], results.len(), "{text}");
    results
        .iter()
        .map(|order| order["order_id"].as_i64().unwrap())
        .collect()
}

/// Orders that differ in all that can be searched for.
async fn orders(app: &TestApp) -> Vec<i64> {
    let row = |customer_id, sku, product_id, tracking_no| Row {
        customer_id,
        sku,
        product_id,
        tracking_no,
        ..Row::default()
    };
    Row::insert_all(
        app,
        &[
            row(5, "SHOE-RED", Some(7001), Some("TRK900001")),
            row(5, "SHOE_BLUE", Some(7002), None),
            row(6, "SHOEX", Some(7001), Some("TRK900002")),
            row(8001, "100%-WOOL", None, Some("7001")),
            row(6, r"BACK\SLASH", None, None),
            row(6, "Ünïcode-靴", None, None),
        ],
    )
    .await
}

#[tokio::test]
async fn staff_find_orders_by_each_of_their_numbers_and_names() {
    let app = TestApp::start().await;
    let ids = orders(&app).await;
    for (text, expected) in [
        ("SHOE", &[0, 1, 2][..]),
        ("SHOE-", &[0]),
        ("SHOE-RED", &[0]),
        ("HOE", &[]),
        ("shoe", &[]),
        ("TRK900002", &[2]),
        ("TRK90000", &[]),
        // A product, and a tracking number that looks like one.
        ("7001", &[0, 2, 3]),
        ("7002", &[1]),
        ("8001", &[3]),
        ("Ünïcode-靴", &[5]),
        ("Ünï", &[5]),
        ("  SHOE-RED  ", &[0]),
    ] {
        let expected: Vec<i64> = expected.iter().map(|&index: &usize| ids[index]).collect();
        assert_eq!(
            found(&app.staff(), "search", text).await,
            expected,
            "{text}"
        );
    }
    for &order_id in &ids[3..] {
        let by_number = found(&app.staff(), "search", &order_id.to_string()).await;
        assert!(by_number.contains(&order_id));
    }
}

#[tokio::test]
async fn wildcards_and_quotes_are_literal() {
    let app = TestApp::start().await;
    let ids = orders(&app).await;
    for (text, expected) in [
        ("%", &[][..]),
        ("_", &[]),
        ("SHOE_", &[1]),
        ("SHOE%", &[]),
        ("100%", &[3]),
        ("100%-", &[3]),
        ("1__%", &[]),
        (r"BACK\", &[4]),
        (r"BACK\S", &[4]),
        (r"\", &[]),
        ("'", &[]),
        ("' or true --", &[]),
        ("$1", &[]),
        ("-1", &[]),
        ("99999999999999999999999", &[]),
    ] {
        let expected: Vec<i64> = expected.iter().map(|&index: &usize| ids[index]).collect();
        assert_eq!(
            found(&app.staff(), "search", text).await,
            expected,
            "{text}"
        );
    }
}

#[tokio::test]
async fn a_customer_finds_their_own_orders_only() {
    let app = TestApp::start().await;
    let ids = orders(&app).await;
    assert_eq!(found(&app.customer(5), "search", "SHOE").await, ids[..2]);
    assert_eq!(found(&app.customer(5), "search", "7001").await, ids[..1]);
    assert_eq!(found(&app.customer(5), "search", "6").await, [0; 0]);
    assert_eq!(found(&app.customer(5), "search", "TRK900002").await, [0; 0]);
    assert_eq!(found(&app.customer(5), "sku", "SHOEX").await, [0; 0]);
    let of_another = ids[3].to_string();
    let found = found(&app.customer(5), "search", &of_another).await;
    assert!(!found.contains(&ids[3]));
}

#[tokio::test]
async fn a_sku_is_found_as_a_whole() {
    let app = TestApp::start().await;
    let ids = orders(&app).await;
    assert_eq!(found(&app.staff(), "sku", "SHOE-RED").await, ids[..1]);
    assert_eq!(found(&app.staff(), "sku", "100%-WOOL").await, ids[3..4]);
    for text in ["SHOE", "shoe-red", "SHOE%", "SHOE_RED", "7001"] {
        assert_eq!(found(&app.staff(), "sku", text).await, [0; 0], "{text}");
    }
}
