//! Sorting and pagination by page number.

use std::collections::BTreeSet;

use serde_json::Value;

use super::rows::Row;
use crate::support::app::TestApp;
use crate::support::client::{Client, Reply, send};

/// Five totals over three timestamps, so that both have ties.
async fn orders(app: &TestApp, count: usize) -> Vec<i64> {
    const TOTALS: [&str; 5] = ["9.00", "10.00", "100.00", "10.00", "9.00"];
    const MOMENTS: [&str; 3] = [
        "2026-01-02T00:00:00Z",
        "2026-01-01T00:00:00Z",
        "2026-01-03T00:00:00Z",
    ];
    let row = |index: usize| Row {
        total: TOTALS[index % 5],
        created_at: MOMENTS[index % 3],
        ..Row::default()
    };
    let rows: Vec<_> = (0..count).map(row).collect();
    Row::insert_all(app, &rows).await
}

fn ids(reply: &Reply) -> Vec<i64> {
    assert_eq!(reply.status, 200, "{reply:?}");
    let results = reply.body["results"].as_array().unwrap();
    results
        .iter()
        .map(|order| order["order_id"].as_i64().unwrap())
        .collect()
}

/// Follows a link, which must point to the service itself.
async fn follow(app: &TestApp, client: &Client, link: &Value) -> Reply {
    let path = link.as_str().unwrap().strip_prefix(&app.base).unwrap();
    client.get(path).await
}

#[tokio::test]
async fn lists_are_sorted_with_ties_broken_by_id() {
    let app = TestApp::start().await;
    let all = orders(&app, 6).await;
    // Totals 9 10 100 10 9 9; timestamps 2 1 3 2 1 3.
    for (query, expected) in [
        ("", [5, 2, 3, 0, 4, 1]),
        ("sort_by=created_at&sort_dir=desc", [5, 2, 3, 0, 4, 1]),
        ("sort_dir=asc", [1, 4, 0, 3, 2, 5]),
        ("sort_by=total", [2, 3, 1, 5, 4, 0]),
        ("sort_by=TOTAL&sort_dir=ASC", [0, 4, 5, 1, 3, 2]),
        ("sort_by=order_id", [5, 4, 3, 2, 1, 0]),
        ("sort_by=order_id&sort_dir=asc", [0, 1, 2, 3, 4, 5]),
    ] {
        let expected = expected.map(|index: usize| all[index]);
        for list in ["/v1/orders/", "/v1/orders/my-orders/5/"] {
            let reply = app.customer(5).get(&format!("{list}?{query}")).await;
            assert_eq!(ids(&reply), expected, "{query}");
        }
    }
}

#[tokio::test]
async fn next_and_previous_links_visit_every_order_once() {
    let app = TestApp::start().await;
    let all: BTreeSet<i64> = orders(&app, 25).await.into_iter().collect();
    for (sort_by, begin) in [
        ("created_at", ""),
        ("total", ""),
        ("order_id", ""),
        ("total", "&page=1"),
    ] {
        let client = app.customer(5);
        let query =
            format!("/v1/orders/?sort_by={sort_by}&sort_dir=asc&page_size=7&sku=SKU0001{begin}");
        let mut page = client.get(&query).await;
        assert!(page.body["previous"].is_null());
        let mut forwards = ids(&page);
        while !page.body["next"].is_null() {
            page = follow(&app, &client, &page.body["next"]).await;
            assert_eq!(page.body["count"], 25);
            forwards.extend(ids(&page));
        }
        assert_eq!(forwards.len(), 25, "{sort_by}");
        assert_eq!(forwards.iter().copied().collect::<BTreeSet<_>>(), all);
        assert_eq!(ids(&page).len(), 4, "the last page has the rest");

        let mut backwards = vec![ids(&page)];
        while !page.body["previous"].is_null() {
            page = follow(&app, &client, &page.body["previous"]).await;
            backwards.push(ids(&page));
        }
        let backwards: Vec<i64> = backwards.into_iter().rev().flatten().collect();
        assert_eq!(backwards, forwards);
    }
}

#[tokio::test]
async fn links_keep_the_filters_in_every_spelling() {
    let app = TestApp::start().await;
    let row = Row {
        sku: "100% & more/+ü",
        ..Row::default()
    };
    Row::insert_all(&app, &[row.clone(), row.clone(), row, Row::default()]).await;
    let query = "search=100%25+%26+more%2F%2B%C3%BC&status_filter=confirmed,PENDING\
                 &created_from=2026-01-01T05:30:00%2B05:30&min_total=1&page_size=1&page=2";
    let second = app.customer(5).get(&format!("/v1/orders/?{query}")).await;
    assert_eq!(second.body["count"], 3, "{second:?}");
    let third = follow(&app, &app.customer(5), &second.body["next"]).await;
    assert_eq!((third.status, &third.body["count"]), (200, &3.into()));
    assert!(third.body["next"].is_null());
    let again = follow(&app, &app.customer(5), &third.body["previous"]).await;
    assert_eq!(again.body["results"], second.body["results"]);
    assert_eq!(again.body["next"], second.body["next"]);
}

#[tokio::test]
async fn a_page_past_the_end_is_empty_and_links_back() {
    let app = TestApp::start().await;
    orders(&app, 5).await;
    let beyond = app
        .customer(5)
        .get("/v1/orders/?page=1000&page_size=2")
        .await;
    assert_eq!(ids(&beyond), [0; 0]);
    assert_eq!(beyond.body["count"], 5);
    assert!(beyond.body["next"].is_null());
    let last = follow(&app, &app.customer(5), &beyond.body["previous"]).await;
    assert_eq!(ids(&last).len(), 1);
}

#[tokio::test]
async fn an_empty_list_is_one_empty_page() {
    let app = TestApp::start().await;
    let reply = app.customer(5).get("/v1/orders/").await;
    assert_eq!(
        reply.body,
        serde_json::json!({
            "count": 0, "count_capped": false, "next": null, "previous": null, "results": []
        })
    );
    let second = app.customer(5).get("/v1/orders/?page=2").await;
    let first = follow(&app, &app.customer(5), &second.body["previous"]).await;
    assert_eq!(first.body, reply.body);
}

#[tokio::test]
async fn page_size_defaults_to_twenty_and_is_capped_at_a_hundred() {
    let app = TestApp::start().await;
    orders(&app, 101).await;
    assert_eq!(ids(&app.staff().get("/v1/orders/").await).len(), 20);
    let largest = app.staff().get("/v1/orders/?page_size=100").await;
    assert_eq!(ids(&largest).len(), 100);
    let rest = follow(&app, &app.staff(), &largest.body["next"]).await;
    assert_eq!(ids(&rest).len(), 1);
}

#[tokio::test]
async fn links_use_the_host_of_the_request() {
    let app = TestApp::start().await;
    orders(&app, 2).await;
    for (headers, base) in [
        (
            &[("host", "shop.example:8443")][..],
            "http://shop.example:8443",
        ),
        (
            &[("host", "shop.example"), ("x-forwarded-proto", "https")],
            "https://shop.example",
        ),
        (
            &[
                ("host", "shop.example"),
                ("x-forwarded-proto", "javascript"),
            ],
            "http://shop.example",
        ),
        (&[("host", "user:pass@evil.example")], ""),
        (&[("host", "evil.example/path?")], ""),
        (&[("host", "\"><script>")], ""),
    ] {
        let mut request = app
            .customer(5)
            .request(reqwest::Method::GET, "/v1/orders/?page_size=1");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let reply = send(request).await;
        if reply.status == 200 {
            let next = reply.body["next"].as_str().unwrap();
            let expected = format!("{base}/v1/orders/?page_size=1&cursor=");
            assert!(next.starts_with(&expected), "{next}");
        } else {
            assert_eq!(reply.status, 400, "{headers:?}: {reply:?}");
        }
    }
}

#[tokio::test]
async fn public_url_takes_precedence_over_the_host_header() {
    let app = TestApp::with(&[("PUBLIC_URL", "https://shop.example/api/")]).await;
    orders(&app, 2).await;
    let request = app
        .customer(5)
        .request(reqwest::Method::GET, "/v1/orders/?page_size=1&page=1");
    let reply = send(request.header("host", "evil.example")).await;
    assert_eq!(
        reply.body["next"],
        "https://shop.example/api/v1/orders/?page_size=1&page=2"
    );
}
