//! The filters of lists.

use super::rows::Row;
use crate::support::app::TestApp;
use crate::support::client::Client;

/// The ids that a query finds, in ascending order.
async fn found(client: &Client, query: &str) -> Vec<i64> {
    let reply = client
        .get(&format!(
            "/v1/orders/?sort_by=order_id&sort_dir=asc&{query}"
        ))
        .await;
    assert_eq!(reply.status, 200, "{query}: {reply:?}");
    let results = reply.body["results"].as_array().unwrap();
    assert_eq!(reply.body["count"], results.len(), "{query}");
    results
        .iter()
        .map(|order| order["order_id"].as_i64().unwrap())
        .collect()
}

#[tokio::test]
async fn status_filters_take_several_values_in_any_case() {
    let app = TestApp::start().await;
    let row = |order_status, payment_status, shipping_status| Row {
        order_status,
        payment_status,
        shipping_status,
        ..Row::default()
    };
    let ids = Row::insert_all(
        &app,
        &[
            row("PENDING", "PENDING", "PENDING"),
            row("CONFIRMED", "PAID", "PENDING"),
            row("SHIPPED", "PAID", "SHIPPED"),
            row("CANCELLED", "REFUNDED", "CANCELLED"),
            row("CANCELLED", "FAILED", "CANCELLED"),
            row("DELIVERED", "PAID", "UNKNOWN"),
        ],
    )
    .await;
    for (query, expected) in [
        ("", &[0, 1, 2, 3, 4, 5][..]),
        ("status_filter=CONFIRMED", &[1]),
        ("status_filter=confirmed", &[1]),
        ("status_filter=Pending,cOnFiRmEd", &[0, 1]),
        ("status_filter=PENDING%2CSHIPPED", &[0, 2]),
        ("status_filter=%20PENDING%20,,%20SHIPPED,", &[0, 2]),
        ("status_filter=CANCELLED,CANCELLED", &[3, 4]),
        ("status_filter=CANCELLING", &[]),
        ("payment_filter=paid", &[1, 2, 5]),
        ("payment_filter=FAILED,REFUNDED", &[3, 4]),
        ("shipping_filter=unknown,SHIPPED", &[2, 5]),
        ("status_filter=CANCELLED&payment_filter=FAILED", &[4]),
        ("payment_filter=PAID&shipping_filter=PENDING", &[1]),
        ("status_filter=PENDING&payment_filter=PAID", &[]),
    ] {
        let expected: Vec<i64> = expected.iter().map(|&index: &usize| ids[index]).collect();
        assert_eq!(found(&app.staff(), query).await, expected, "{query}");
        assert_eq!(found(&app.customer(5), query).await, expected, "{query}");
        assert_eq!(found(&app.customer(6), query).await, [0; 0], "{query}");
    }
}

#[tokio::test]
async fn created_ranges_are_half_open_and_honour_time_zones() {
    let app = TestApp::start().await;
    let at = |created_at| Row {
        created_at,
        ..Row::default()
    };
    let ids = Row::insert_all(
        &app,
        &[
            at("2026-01-31T23:59:59.999999Z"),
            at("2026-02-01T00:00:00Z"),
            at("2026-02-28T23:59:59.999999Z"),
            at("2026-03-01T00:00:00Z"),
        ],
    )
    .await;
    for (query, expected) in [
        ("created_from=2026-02-01T00:00:00Z", &[1, 2, 3][..]),
        ("created_to=2026-02-01T00:00:00Z", &[0]),
        (
            "created_from=2026-02-01T00:00:00Z&created_to=2026-03-01T00:00:00Z",
            &[1, 2],
        ),
        (
            "created_from=2026-02-01T05:30:00%2B05:30&created_to=2026-02-28T16:00:00-08:00",
            &[1, 2],
        ),
        // An unescaped plus sign.
        ("created_from=2026-02-01T05:30:00+05:30", &[1, 2, 3]),
        ("created_from=2026-02-01t00:00:00z", &[1, 2, 3]),
        ("created_from=2026-02-01T00:00:00.000001Z", &[2, 3]),
        (
            "created_from=2026-03-01T00:00:00Z&created_to=2026-03-01T00:00:00Z",
            &[],
        ),
        (
            "created_from=2026-03-01T00:00:00Z&created_to=2026-02-01T00:00:00Z",
            &[],
        ),
        (
            "created_from=1970-01-01T00:00:00Z&created_to=9999-12-31T23:59:59Z",
            &[0, 1, 2, 3],
        ),
    ] {
        let expected: Vec<i64> = expected.iter().map(|&index: &usize| ids[index]).collect();
        assert_eq!(found(&app.staff(), query).await, expected, "{query}");
    }
}

#[tokio::test]
async fn total_filters_are_exact_and_inclusive() {
    let app = TestApp::start().await;
    let of = |total| Row {
        total,
        ..Row::default()
    };
    let ids = Row::insert_all(
        &app,
        &[of("0.10"), of("9.99"), of("10.00"), of("999999999.00")],
    )
    .await;
    for (query, expected) in [
        ("min_total=10", &[2, 3][..]),
        ("min_total=10.00&max_total=10.0", &[2]),
        ("min_total=9.990&max_total=9.99", &[1]),
        ("max_total=0.1", &[0]),
        ("max_total=0.09999999", &[]),
        ("min_total=1e1", &[2, 3]),
        ("min_total=-5", &[0, 1, 2, 3]),
        ("min_total=10&max_total=1", &[]),
        ("min_total=999999999", &[3]),
        ("min_total=1000000000000", &[]),
    ] {
        let expected: Vec<i64> = expected.iter().map(|&index: &usize| ids[index]).collect();
        assert_eq!(found(&app.staff(), query).await, expected, "{query}");
    }
}

#[tokio::test]
async fn staff_read_the_whole_history_of_one_customer() {
    let app = TestApp::start().await;
    let of = |customer_id| Row {
        customer_id,
        ..Row::default()
    };
    let ids = Row::insert_all(&app, &[of(5), of(6), of(5)]).await;
    for client in [app.staff(), app.customer(5)] {
        let reply = client.get("/v1/orders/my-orders/5/?sort_by=order_id").await;
        let found: Vec<_> = reply.body["results"]
            .as_array()
            .unwrap()
            .iter()
            .map(|order| order["order_id"].as_i64().unwrap())
            .collect();
        assert_eq!(found, [ids[2], ids[0]]);
    }
    let nobodys = app.staff().get("/v1/orders/my-orders/7/").await;
    assert_eq!(
        (nobodys.status, nobodys.body["count"].as_i64()),
        (200, Some(0))
    );
}
