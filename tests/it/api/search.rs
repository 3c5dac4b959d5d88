//! Search by text and by SKU.

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

/// Orders that differ in every searchable field.
async fn orders(app: &TestApp) -> Vec<i64> {
    let row = |customer_id, sku, product_id, tracking_no| Row {
        customer_id,
        name: (sku == r"BACK\SLASH").then_some("Elfenbein"),
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
async fn staff_find_orders_by_every_id_and_name() {
    let app = TestApp::start().await;
    let ids = orders(&app).await;
    for (text, expected) in [
        ("SHOE", &[0, 1, 2][..]),
        ("SHOE-", &[0]),
        ("SHOE-RED", &[0]),
        ("HOE", &[0, 1, 2]),
        ("shoe", &[0, 1, 2]),
        ("hoe-r", &[0]),
        ("oe", &[]),
        ("elfe", &[4]),
        ("Elfenbein", &[4]),
        ("TRK900002", &[2]),
        ("TRK90000", &[]),
        // A product id, and a tracking number that looks like one.
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
async fn search_ranks_by_relevance_and_then_by_age() {
    let app = TestApp::start().await;
    let row = |sku, name| Row {
        sku,
        name,
        ..Row::default()
    };
    let ids = Row::insert_all(
        &app,
        &[
            row("X-LAMP", None),
            row("LAMP-1", None),
            row("lamp", None),
            row("Y", Some("Lamp")),
            row("LAMP-2", None),
            row("Z", Some("A lamp")),
            row("NONE", None),
        ],
    )
    .await;
    let expected = [3, 2, 4, 1, 5, 0].map(|index: usize| ids[index]);
    for (query, expected) in [
        ("search=lamp", expected.to_vec()),
        (
            "search=lamp&sort_dir=asc",
            expected.iter().rev().copied().collect(),
        ),
    ] {
        for client in [app.staff(), app.customer(5)] {
            let mut page = client
                .get(&format!("/v1/orders/?{query}&page_size=2"))
                .await;
            let mut seen = Vec::new();
            loop {
                assert_eq!(
                    (page.status, &page.body["count"]),
                    (200, &6.into()),
                    "{page:?}"
                );
                let results = page.body["results"].as_array().unwrap();
                seen.extend(
                    results
                        .iter()
                        .map(|order| order["order_id"].as_i64().unwrap()),
                );
                let Some(next) = page.body["next"].as_str() else {
                    break;
                };
                page = client.get(next.strip_prefix(&app.base).unwrap()).await;
            }
            assert_eq!(seen, expected, "{query}");
            let second = client
                .get(&format!("/v1/orders/?{query}&page_size=4&page=2"))
                .await;
            let results = second.body["results"].as_array().unwrap();
            assert_eq!(results[0]["order_id"], expected[4]);
            assert_eq!(results.len(), 2);
        }
    }
}

#[tokio::test]
async fn wildcards_and_quotes_are_literal_in_searches() {
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
async fn a_sku_is_matched_as_a_whole() {
    let app = TestApp::start().await;
    let ids = orders(&app).await;
    assert_eq!(found(&app.staff(), "sku", "SHOE-RED").await, ids[..1]);
    assert_eq!(found(&app.staff(), "sku", "100%-WOOL").await, ids[3..4]);
    for text in ["SHOE", "shoe-red", "SHOE%", "SHOE_RED", "7001"] {
        assert_eq!(found(&app.staff(), "sku", text).await, [0; 0], "{text}");
    }
}
