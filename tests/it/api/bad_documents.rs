//! Bodies that are not JSON, or are JSON of the wrong shape.

use reqwest::Method;
use serde_json::json;

use super::{CREATE, assert_fault, assert_untouched, send_json, whole_cart};
use crate::support::app::TestApp;

/// The routes that read a body, with their methods.
async fn places(app: &TestApp) -> [(Method, String); 5] {
    // The order does not exist; an unreadable body is reported first.
    let update = "/v1/orders/1/update/".to_owned();
    assert_eq!(app.stored_orders().await, 0);
    [
        (Method::POST, CREATE.to_owned()),
        (Method::POST, "/v1/orders/".to_owned()),
        (Method::PATCH, update),
        (Method::POST, "/v1/ops/orders/1/retry/".to_owned()),
        (Method::POST, "/v1/ops/orders/1/resolve/".to_owned()),
    ]
}

#[tokio::test]
async fn a_body_that_is_not_json_is_refused() {
    let app = TestApp::start().await;
    let good = whole_cart().to_string();
    let in_sku = |text: &str| good.replace("SKU0001", text).into_bytes();
    let in_price = |text: &str| good.replace("50.0", text).into_bytes();
    let bodies: Vec<Vec<u8>> = vec![
        b"".to_vec(),
        b" \n".to_vec(),
        b"{".to_vec(),
        b"}".to_vec(),
        b"nul".to_vec(),
        b"{'items': []}".to_vec(),
        b"{items: []}".to_vec(),
        b"[1,]".to_vec(),
        b"<order/>".to_vec(),
        b"customer_id=5&items=1".to_vec(),
        b"\0".to_vec(),
        b"\xff\xfe{\0}\0".to_vec(),
        [b"\xef\xbb\xbf", good.as_bytes()].concat(),
        format!("{good}x").into_bytes(),
        format!("{good}{good}").into_bytes(),
        format!("{good}\0").into_bytes(),
        good.as_bytes()[..good.len() - 1].to_vec(),
        in_price("NaN"),
        in_price("Infinity"),
        in_price("-Infinity"),
        in_price("01"),
        in_price("+1"),
        in_price("1."),
        in_price(".5"),
        in_price("0x10"),
        in_price("1e"),
        in_sku(r"\ud800"),
        in_sku(r"\udc00\ud800"),
        in_sku(r"\uD83D"),
        in_sku(r"\x00"),
        in_sku("a\0b"),
        in_sku("a\nb"),
        [&b"{\"sku\": \"\xc3\x28\"}"[..]].concat(),
        [&b"{\"sku\": \"\xed\xa0\x80\"}"[..]].concat(),
        [&b"{\"sku\": \"\xff\"}"[..]].concat(),
        "[".repeat(100_000).into_bytes(),
        "{\"a\":".repeat(20_000).into_bytes(),
        format!("{}{}", "[".repeat(1000), "]".repeat(1000)).into_bytes(),
    ];
    for (method, path) in places(&app).await {
        for body in &bodies {
            let reply = send_json(&app.staff(), method.clone(), &path, body.clone()).await;
            assert_eq!(
                (reply.status, reply.body["code"].as_str()),
                (400, Some("malformed-body")),
                "{} for {:?}",
                reply.text,
                String::from_utf8_lossy(&body[..body.len().min(200)])
            );
            reply.assert_problem(400, "malformed-body");
        }
    }
    assert_untouched(&app).await;
}

#[tokio::test]
async fn an_object_with_a_duplicate_key_is_refused() {
    let app = TestApp::start().await;
    let good = whole_cart().to_string();
    let price = r#""unit_price":50.0"#;
    assert!(good.contains(price), "{good}");
    let with_price = |text: &str| good.replace(price, text);
    let bodies = [
        (
            "unit_price",
            with_price(r#""unit_price":1,"unit_price":50.0"#),
        ),
        (
            "unit_price",
            with_price(r#""unit_price":50.0,"unit_price":50.0"#),
        ),
        (
            "unit_price",
            with_price(r#""unit_price":null,"\u0075nit_price":50.0"#),
        ),
        (
            "x",
            with_price(r#""unit_price":50.0,"y":[{"x":1,"X":1,"x":2}]"#),
        ),
        ("items", good.replacen('{', r#"{"items":[],"#, 1)),
        ("", good.replacen('{', r#"{"":1,"":1,"#, 1)),
    ];
    for (method, path) in places(&app).await {
        for (name, body) in &bodies {
            let reply = send_json(&app.staff(), method.clone(), &path, body.clone()).await;
            reply.assert_problem(400, "malformed-body");
            let detail = reply.body["detail"].as_str().unwrap();
            let expected =
                format!("the body cannot be taken: \"{name}\" is named twice in one object");
            assert!(detail.starts_with(&expected), "{detail}");
        }
    }
    assert_untouched(&app).await;
    // Separate objects may repeat a key.
    let apart = with_price(r#""unit_price":50.0,"y":[{"x":1},{"x":1,"z":{"x":1}}]"#);
    let reply = send_json(&app.staff(), Method::POST, CREATE, apart).await;
    assert_eq!(reply.status, 201, "{reply:?}");
}

/// Nested JSON strings, each of which `serde_json` would parse as the document itself, up to its
/// recursion limit.
fn nested_texts() -> String {
    let deep = |inner: &str| format!("{}{inner}{}", "[".repeat(118), "]".repeat(118));
    let within = |inner: String, _| {
        let inner = json!(inner);
        deep(&format!(r#"{{"$serde_json::private::RawValue":{inner}}}"#))
    };
    let deepest = (0..10).fold(deep(""), within);
    format!(r#"{{"x":{deepest},"items":[{{"sku":"S","quantity":1,"unit_price":1}}]}}"#)
}

#[tokio::test]
async fn private_keys_of_the_json_parser_are_refused() {
    let app = TestApp::start().await;
    let bodies = [
        r#"{"$serde_json::private::RawValue":"{\"items\":[]}"}"#.to_owned(),
        r#"{"\u0024serde_json::private::RawValue":"{\"items\":[]}"}"#.to_owned(),
        r#"{"items":[{"sku":"S","quantity":1,"unit_price":{"$serde_json::private::Number":"5"}}]}"#
            .to_owned(),
        nested_texts(),
    ];
    for (method, path) in places(&app).await {
        for body in &bodies {
            let reply = send_json(&app.staff(), method.clone(), &path, body.clone()).await;
            reply.assert_problem(400, "malformed-body");
            let detail = reply.body["detail"].as_str().unwrap();
            assert!(detail.contains("must not be in it"), "{detail}");
        }
    }
    assert_untouched(&app).await;
}

#[tokio::test]
async fn json_that_is_not_an_object_is_refused() {
    let app = TestApp::start().await;
    for (method, path) in places(&app).await {
        for body in ["null", "true", "0", "1e400", "\"x\"", "\"\"", "[]", "[{}]"] {
            let reply = send_json(&app.staff(), method.clone(), &path, body).await;
            assert_fault(&reply, "", "wrong_type", body);
            let detail = reply.body["detail"].as_str().unwrap();
            assert!(detail.starts_with("the body must be an object"), "{detail}");
        }
    }
    assert_untouched(&app).await;
}

#[tokio::test]
async fn an_empty_object_reports_every_required_field() {
    let app = TestApp::start().await;
    let reply = app.customer(5).place(&json!({})).await;
    assert_fault(&reply, "/items", "missing", "{}");
    let reply = app.staff().patch("/v1/orders/1/update/", &json!({})).await;
    assert_fault(&reply, "", "missing", "{}");
    assert_untouched(&app).await;
}

#[tokio::test]
async fn unknown_fields_are_ignored() {
    let app = TestApp::start().await;
    let mut body = whole_cart();
    body["__proto__"] = json!({ "is_staff": true });
    body["order_id"] = json!(-1);
    body["order_status"] = json!("DELIVERED");
    body["order_total"] = json!("0.01");
    body["a~/\u{0}\u{202e}"] = json!([[[["\u{0}"]]]]);
    let placed = app.customer(5).place(&body).await;
    assert_eq!(placed.status, 201, "{placed:?}");
    assert_eq!(placed.body["order_total"], "250.00");
    assert_eq!(placed.body["order_status"], "CONFIRMED");
}
