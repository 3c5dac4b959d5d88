//! Invalid values for every list parameter, and malformed query strings and paths.

use super::assert_fault;
use super::rows::Row;
use crate::support::app::TestApp;
use crate::support::raw_http::exchange;

const LISTS: [&str; 2] = ["/v1/orders/", "/v1/orders/my-orders/5/"];

/// Each query yields exactly one violation, of this parameter and code.
async fn refused(app: &TestApp, pointer: &str, code: &str, queries: &[&str]) {
    for list in LISTS {
        for query in queries {
            let reply = app.customer(5).get(&format!("{list}?{query}")).await;
            assert_fault(&reply, pointer, code, query);
            assert_eq!(reply.body["errors"][0]["location"], "query");
        }
    }
}

#[tokio::test]
async fn unknown_statuses_are_refused() {
    let app = TestApp::start().await;
    for name in ["status_filter", "payment_filter", "shipping_filter"] {
        let pointer = format!("/{name}");
        for value in [
            "STOLEN",
            "PENDING,STOLEN",
            "PENDING;PAID",
            "%25",
            "1",
            "null",
            "PENDIN",
        ] {
            let query = format!("{name}={value}");
            refused(&app, &pointer, "unknown_value", &[&query]).await;
        }
    }
}

#[tokio::test]
async fn invalid_pages_are_refused() {
    let app = TestApp::start().await;
    let odd = [
        "0",
        "-1",
        "1.5",
        "x",
        "1e3",
        "%2B1",
        "0x1",
        "4294967297",
        "9223372036854775808",
        "1%201",
        "99999999999999999999999999999",
        "%D9%A1",
        "NaN",
    ];
    for value in odd {
        refused(&app, "/page", "out_of_range", &[&format!("page={value}")]).await;
        refused(
            &app,
            "/page_size",
            "out_of_range",
            &[&format!("page_size={value}")],
        )
        .await;
    }
    refused(
        &app,
        "/page",
        "out_of_range",
        &["page=5001", "page=1001&page_size=100"],
    )
    .await;
    refused(
        &app,
        "/page_size",
        "out_of_range",
        &["page_size=101", "page_size=1000"],
    )
    .await;
}

#[tokio::test]
async fn invalid_times_are_refused() {
    let app = TestApp::start().await;
    for name in ["created_from", "created_to"] {
        for value in [
            "yesterday",
            "0",
            "1767225600",
            "2026-01-01",
            "2026-01-01T00:00:00",
            "2026-02-30T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-01-01T24:00:00Z",
            "2026-01-01T00:00:00+24:00",
            "0000-01-01T00:00:00Z",
            "1969-12-31T23:59:59Z",
            "1970-01-01T00:00:00%2B01:00",
            "9999-12-31T23:59:59-00:01",
            "9999-12-31T23:59:59-23:59",
            "10000-01-01T00:00:00Z",
            "-2026-01-01T00:00:00Z",
            "2026-01-01T00:00:00Z'--",
        ] {
            let query = format!("{name}={value}");
            refused(&app, &format!("/{name}"), "not_a_time", &[&query]).await;
        }
    }
}

#[tokio::test]
async fn invalid_amounts_are_refused() {
    let app = TestApp::start().await;
    for name in ["min_total", "max_total"] {
        for value in [
            "x",
            "NaN",
            "Infinity",
            "1,5",
            "1_0",
            "1e400",
            "-1e400",
            "1e-400",
            "1e13",
            "0x10",
            "1e",
            "%D9%A1",
            "1.2.3",
            "10000000000000000000000000000000",
        ] {
            let query = format!("{name}={value}");
            refused(&app, &format!("/{name}"), "not_a_number", &[&query]).await;
        }
    }
}

#[tokio::test]
async fn unknown_sort_fields_are_refused() {
    let app = TestApp::start().await;
    let columns = [
        "sort_by=customer_id",
        "sort_by=order_total",
        "sort_by=1",
        "sort_by=total,order_id",
    ];
    refused(&app, "/sort_by", "unknown_value", &columns).await;
    let directions = [
        "sort_dir=up",
        "sort_dir=ascending",
        "sort_dir=-1",
        "sort_dir=desc;--",
    ];
    refused(&app, "/sort_dir", "unknown_value", &directions).await;
}

#[tokio::test]
async fn invalid_booleans_and_currencies_are_refused() {
    let app = TestApp::start().await;
    for name in ["open", "needs_attention"] {
        for value in ["1", "yes", "null", "tru"] {
            let query = format!("{name}={value}");
            refused(&app, &format!("/{name}"), "unknown_value", &[&query]).await;
        }
    }
    let currencies = [
        "currency=US",
        "currency=XXX",
        "currency=USD,EUR",
        "currency=1",
    ];
    refused(&app, "/currency", "unknown_value", &currencies).await;
    let relevance = ["sort_by=relevance", "sort_by=relevance&search="];
    refused(&app, "/sort_by", "without_search", &relevance).await;
}

#[tokio::test]
async fn the_needs_attention_filter_is_for_staff() {
    let app = TestApp::start().await;
    let reply = app
        .customer(5)
        .get("/v1/orders/?needs_attention=true")
        .await;
    reply.assert_problem(403, "forbidden");
}

#[tokio::test]
async fn long_or_broken_texts_are_refused() {
    let app = TestApp::start().await;
    for name in ["search", "sku"] {
        let pointer = format!("/{name}");
        let long = format!("{name}={}", "x".repeat(101));
        refused(&app, &pointer, "too_long", &[&long]).await;
        for value in [
            "%00",
            "a%00b",
            "a%0Ab",
            "%1B",
            "%7F",
            "%C2%85",
            "%FF",
            "%C3%28",
            "%ED%A0%80",
        ] {
            let query = format!("{name}={value}");
            refused(&app, &pointer, "control_character", &[&query]).await;
        }
    }
    refused(&app, "/page", "control_character", &["page=1%00"]).await;
    refused(
        &app,
        "/status_filter",
        "control_character",
        &["status_filter=PENDING%00"],
    )
    .await;
}

#[tokio::test]
async fn unknown_and_repeated_parameters_are_refused() {
    let app = TestApp::start().await;
    for (query, pointer) in [
        ("limit=10", "/limit"),
        ("status=PENDING", "/status"),
        ("Page=1", "/Page"),
        ("page[]=1", "/page[]"),
        ("customer_id=6", "/customer_id"),
        ("a%2Fb~c=1", "/a~1b~0c"),
        ("%00=1", "/"),
        ("x%0Ay=1", "/xy"),
    ] {
        refused(&app, pointer, "unknown_parameter", &[query]).await;
    }
    refused(
        &app,
        "/page",
        "duplicate",
        &["page=1&page=1", "page=1&page=2"],
    )
    .await;
    refused(&app, "/sku", "duplicate", &["sku=A&sku=B"]).await;
}

#[tokio::test]
async fn all_violations_of_a_query_are_reported_at_once() {
    let app = TestApp::start().await;
    let query = "page=0&page_size=101&sort_by=x&sort_dir=y&status_filter=z&payment_filter=z\
                 &shipping_filter=z&created_from=x&created_to=x&min_total=x&max_total=x&search=%00\
                 &sku=%FF&limit=1";
    let reply = app.staff().get(&format!("/v1/orders/?{query}")).await;
    reply.assert_problem(400, "invalid-request");
    assert_eq!(reply.pointers().len(), 14, "{reply:?}");
}

#[tokio::test]
async fn a_flood_of_parameters_gets_a_short_list_of_violations() {
    let app = TestApp::start().await;
    let query = "a&".repeat(20_000);
    let reply = app.staff().get(&format!("/v1/orders/?{query}")).await;
    reply.assert_problem(400, "invalid-request");
    assert_eq!(reply.pointers().len(), 51);
    assert_eq!(reply.body["errors"][50]["code"], "too_many");
}

#[tokio::test]
async fn an_empty_parameter_counts_as_absent() {
    let app = TestApp::start().await;
    Row::default().insert(&app).await;
    let query =
        "page=&page_size=&search=&sku=%20&status_filter=,&created_from=&min_total=&sort_by=&&";
    let reply = app.customer(5).get(&format!("/v1/orders/?{query}")).await;
    assert_eq!(
        (reply.status, reply.body["count"].as_i64()),
        (200, Some(1)),
        "{reply:?}"
    );
}

#[tokio::test]
async fn invalid_utf8_is_refused_anywhere_in_a_query() {
    let app = TestApp::start().await;
    let token = {
        let request = app.customer(5).request(reqwest::Method::GET, "/");
        let request = request.build().unwrap();
        request.headers()["authorization"]
            .to_str()
            .unwrap()
            .to_owned()
    };
    for target in [
        &b"/v1/orders/?search=\xff"[..],
        b"/v1/orders/?\xc3\x28=1",
        b"/v1/orders/\xff/",
    ] {
        let head =
            format!(" HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: {token}\r\n\r\n");
        let request = [b"GET ", target, head.as_bytes()].concat();
        let reply = exchange(&app.base, &request).await;
        assert_eq!(reply.status, 400, "{reply:?}");
    }
}

#[tokio::test]
async fn invalid_ids_in_paths_are_refused() {
    let app = TestApp::start().await;
    for id in [
        "0",
        "-1",
        "+1",
        "1.0",
        "1e3",
        "x",
        "%20",
        "1%20",
        "%00",
        "1%00",
        "%FF",
        "9223372036854775808",
        "99999999999999999999999999",
        "0x1",
        "1;2",
        "1,2",
        "%D9%A1",
        "null",
        "%2e%2e%2f1",
    ] {
        for path in [
            format!("/v1/orders/{id}/details/"),
            format!("/v1/orders/{id}/tracking"),
            format!("/v1/orders/{id}/"),
        ] {
            let reply = app.staff().get(&path).await;
            assert_fault(&reply, "/order_id", "not_a_number", &path);
            assert_eq!(reply.body["errors"][0]["location"], "path");
        }
        let path = format!("/v1/orders/my-orders/{id}/");
        assert_fault(
            &app.staff().get(&path).await,
            "/customer_id",
            "not_a_number",
            &path,
        );
        let path = format!("/v1/orders/{id}/cancel/");
        let reply = app.staff().post(&path, &serde_json::json!({})).await;
        assert_fault(&reply, "/order_id", "not_a_number", &path);
    }
}
