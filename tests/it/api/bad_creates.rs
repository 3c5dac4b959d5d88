//! Invalid values for every field of a placement.

use reqwest::Method;
use serde_json::{Value, json};

use super::{CREATE, assert_fault, assert_untouched, send_json, whole_cart, with, without};
use crate::support::app::TestApp;
use crate::support::client::send;

/// JSON values that are neither strings nor numbers.
const NO_TEXT: &[&str] = &["1", "1.5", "true", "[]", "{}", "[\"x\"]"];
const NO_NUMBER: &[&str] = &["\"1\"", "\"\"", "true", "false", "[]", "[1]", "{}"];
/// Integers outside every bound, and values that are not integers.
const NO_COUNT: &[&str] = &[
    "0",
    "-0",
    "-1",
    "1.5",
    "1e400",
    "-1e400",
    "1e-400",
    "9223372036854775808",
    "-9223372036854775809",
    "99999999999999999999999999999999999999999",
];
const BLANK: &[&str] = &["\"\"", "\" \"", "\"\\t\\n\"", "\"\u{3000}\""];
const CONTROLS: &[&str] = &[
    r#""a\u0000b""#,
    r#""\u0000""#,
    r#""a\u0007b""#,
    r#""a\u001bb""#,
    r#""a\u007fb""#,
    r#""a\u0085b""#,
];

/// Each value at `pointer` yields exactly one violation, with this code and pointer.
async fn refused(app: &TestApp, pointer: &str, code: &str, values: &[&str]) {
    for value in values {
        let body = with(whole_cart(), pointer, value);
        let reply = app.customer(5).place(&body).await;
        assert_fault(&reply, pointer, code, value);
    }
}

/// A JSON string of `length` times x.
fn long(length: usize) -> String {
    format!("\"{}\"", "x".repeat(length))
}

#[tokio::test]
async fn an_invalid_customer_id_is_refused() {
    let app = TestApp::start().await;
    refused(&app, "/customer_id", "wrong_type", NO_NUMBER).await;
    refused(&app, "/customer_id", "out_of_range", NO_COUNT).await;
    assert_untouched(&app).await;
}

#[tokio::test]
async fn invalid_texts_are_refused() {
    let app = TestApp::start().await;
    for (pointer, max) in [
        ("/payment_method", 40),
        ("/shipping_address", 500),
        ("/items/0/sku", 100),
    ] {
        refused(&app, pointer, "wrong_type", NO_TEXT).await;
        refused(&app, pointer, "empty", BLANK).await;
        refused(&app, pointer, "control_character", &CONTROLS[..1]).await;
        refused(&app, pointer, "control_character", &CONTROLS[2..]).await;
        refused(&app, pointer, "too_long", &[&long(max + 1)]).await;
        refused(&app, pointer, "too_long", &[&long(100_000)]).await;
    }
    assert_untouched(&app).await;
}

#[tokio::test]
async fn another_currency_is_refused() {
    let app = TestApp::start().await;
    refused(&app, "/currency", "wrong_type", NO_TEXT).await;
    refused(&app, "/currency", "empty", BLANK).await;
    refused(&app, "/currency", "too_long", &["\"USDX\"", &long(1000)]).await;
    refused(
        &app,
        "/currency",
        "unknown_value",
        &["\"EUR\"", "\"US\"", "\"€\""],
    )
    .await;
    refused(&app, "/currency", "control_character", &[r#""U\u0000D""#]).await;
    assert_untouched(&app).await;
}

#[tokio::test]
async fn items_that_are_not_a_list_of_lines_are_refused() {
    let app = TestApp::start().await;
    let no_list = ["1", "\"x\"", "true", "{}", "{\"0\":{}}"];
    refused(&app, "/items", "wrong_type", &no_list).await;
    refused(&app, "/items", "null", &["null"]).await;
    refused(&app, "/items", "out_of_range", &["[]"]).await;
    refused(
        &app,
        "/items/1",
        "wrong_type",
        &["null", "1", "\"x\"", "true", "[]"],
    )
    .await;
    let line = |index| json!({ "sku": format!("S{index}"), "quantity": 1, "unit_price": 1 });
    let many: Value = (0..101).map(line).collect();
    refused(&app, "/items", "out_of_range", &[&many.to_string()]).await;
    assert_untouched(&app).await;
}

#[tokio::test]
async fn an_invalid_quantity_or_product_id_is_refused() {
    let app = TestApp::start().await;
    for pointer in ["/items/0/quantity", "/items/1/product_id"] {
        refused(&app, pointer, "wrong_type", NO_NUMBER).await;
        refused(&app, pointer, "out_of_range", NO_COUNT).await;
    }
    refused(
        &app,
        "/items/1/quantity",
        "out_of_range",
        &["10001", "4294967297"],
    )
    .await;
    assert_untouched(&app).await;
}

#[tokio::test]
async fn an_invalid_price_is_refused_and_never_rounded() {
    let app = TestApp::start().await;
    let price = "/items/1/unit_price";
    refused(&app, price, "wrong_type", &["true", "[]", "{}", "[1]"]).await;
    for (code, texts) in [
        (
            "out_of_range",
            &[
                "0",
                "-0",
                "0.00",
                "0e5",
                "-1",
                "-0.01",
                "1000000000",
                "1e9",
                "1e28",
                "1e400",
            ][..],
        ),
        (
            "too_many_decimals",
            &[
                "1.005",
                "0.001",
                "1e-7",
                "1e-400",
                "99999.9999999999999999999999999",
            ],
        ),
    ] {
        for text in texts {
            let quoted = format!("\"{text}\"");
            refused(&app, price, code, &[text, &quoted]).await;
        }
    }
    for text in [
        "",
        " ",
        "NaN",
        "nan",
        "Infinity",
        "-Infinity",
        "inf",
        "abc",
        "1,5",
        "1_000",
        "$5",
        " 5",
        "5 ",
        "0x10",
        "1e",
        "e5",
        "--1",
        "1.2.3",
        "\u{0661}",
        "1\\u0000",
    ] {
        refused(&app, price, "not_a_number", &[&format!("\"{text}\"")]).await;
    }
    refused(
        &app,
        price,
        "not_a_number",
        &[&format!("\"{}\"", "1".repeat(100))],
    )
    .await;
    assert_untouched(&app).await;
}

#[tokio::test]
async fn missing_required_fields_are_reported() {
    let app = TestApp::start().await;
    for pointer in [
        "/items",
        "/items/0/sku",
        "/items/1/quantity",
        "/items/0/unit_price",
    ] {
        let reply = app.customer(5).place(&without(whole_cart(), pointer)).await;
        assert_fault(&reply, pointer, "missing", "nothing");
        let reply = app
            .customer(5)
            .place(&with(whole_cart(), pointer, "null"))
            .await;
        assert_fault(&reply, pointer, "null", "null");
    }
    assert_untouched(&app).await;
}

#[tokio::test]
async fn optional_fields_may_be_null() {
    let app = TestApp::start().await;
    let mut body = whole_cart();
    for pointer in [
        "/customer_id",
        "/currency",
        "/payment_method",
        "/shipping_address",
        "/items/0/product_id",
    ] {
        body = with(body, pointer, "null");
    }
    let placed = app.customer(5).place(&body).await;
    assert_eq!(placed.status, 201, "{placed:?}");
    assert_eq!(placed.body["customer_id"], 5);
}

#[tokio::test]
async fn totals_beyond_the_limit_are_refused() {
    let app = TestApp::start().await;
    let body = with(whole_cart(), "/items/0/unit_price", "999999999");
    let reply = app.customer(5).place(&body).await;
    assert_fault(&reply, "/items", "too_large", "2 × 999999999");
    assert_untouched(&app).await;
}

#[tokio::test]
async fn a_duplicate_sku_is_reported_for_both_lines() {
    let app = TestApp::start().await;
    let body = json!({ "items": [
        { "sku": "A", "quantity": 0, "unit_price": 1 },
        { "sku": "B", "quantity": 1, "unit_price": 1 },
        { "sku": " B ", "quantity": 1, "unit_price": 1 },
        { "sku": "A", "quantity": 1, "unit_price": 1 },
    ] });
    let reply = app.customer(5).place(&body).await;
    reply.assert_problem(400, "invalid-request");
    assert_eq!(
        reply.pointers(),
        ["/items/0/quantity", "/items/2/sku", "/items/3/sku"]
    );
    let details = [&reply.body["errors"][1], &reply.body["errors"][2]];
    assert!(details[0]["detail"].as_str().unwrap().contains("line 1"));
    assert!(details[1]["detail"].as_str().unwrap().contains("line 0"));
    assert_untouched(&app).await;
}

#[tokio::test]
async fn all_violations_of_a_request_are_reported_at_once() {
    let app = TestApp::start().await;
    let body = json!({
        "customer_id": -1,
        "currency": "EUR",
        "payment_method": 7,
        "shipping_address": " ",
        "items": [
            { "product_id": 0, "sku": "", "quantity": "2", "unit_price": "1.005" },
            {},
            "x",
        ],
    });
    let request = app.customer(5).request(Method::POST, CREATE);
    let reply = send(request.header("Idempotency-Key", "two words").json(&body)).await;
    reply.assert_problem(400, "invalid-request");
    let mut pointers = reply.pointers();
    pointers.sort_unstable();
    assert_eq!(
        pointers,
        [
            "/Idempotency-Key",
            "/currency",
            "/customer_id",
            "/items/0/product_id",
            "/items/0/quantity",
            "/items/0/sku",
            "/items/0/unit_price",
            "/items/1/quantity",
            "/items/1/sku",
            "/items/1/unit_price",
            "/items/2",
            "/payment_method",
            "/shipping_address",
        ]
    );
    assert_eq!(
        reply.body["detail"],
        "the request has 13 violations, see errors"
    );
    assert_untouched(&app).await;
}

#[tokio::test]
async fn a_customer_cannot_order_for_another() {
    let app = TestApp::start().await;
    let reply = app.customer(6).place(&whole_cart()).await;
    reply.assert_problem(403, "forbidden");
    assert_eq!(reply.pointers(), ["/customer_id"]);
    assert_untouched(&app).await;
}

#[tokio::test]
async fn staff_orders_name_the_customer() {
    let app = TestApp::start().await;
    let placed = app.staff().place(&whole_cart()).await;
    assert_eq!(
        (placed.status, &placed.body["customer_id"]),
        (201, &json!(5))
    );
}

#[tokio::test]
async fn values_at_the_bounds_are_accepted() {
    let app = TestApp::start().await;
    let body = json!({
        "shipping_address": "ü".repeat(500),
        "payment_method": "x".repeat(40),
        "items": [{
            "product_id": i64::MAX, "sku": "s".repeat(100), "quantity": 10_000, "unit_price": "99999.99"
        }],
    });
    let placed = app.customer(i64::MAX).place(&body).await;
    // The order passed validation and was stored; only its stock is missing.
    placed.assert_problem(409, "out-of-stock");
    assert_eq!(placed.body["order"]["order_total"], "999999900.00");
}

#[tokio::test]
async fn serde_jsons_private_number_form_is_still_validated() {
    let app = TestApp::start().await;
    for number in ["1e400", "-5", "", "0", "x"] {
        let disguised = json!({ "$serde_json::private::Number": number });
        let body = whole_cart()
            .to_string()
            .replace("50.0", &disguised.to_string());
        let reply = send_json(&app.customer(5), Method::POST, CREATE, body).await;
        assert_eq!(reply.status, 400, "{number}: {reply:?}");
    }
    assert_untouched(&app).await;
}
