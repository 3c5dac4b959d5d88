//! Property tests: no input causes a 5xx response. A failing input is in the message.

use std::fmt::Write as _;

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use reqwest::Method;
use serde_json::{Map, Value};
use url::form_urlencoded;

use super::rows::Row;
use super::{CREATE, send_json};
use crate::support::app::TestApp;
use crate::support::client::{Reply, send};
use crate::support::ledger::{all_orders, violations};

/// The number of samples of each kind.
const MANY: usize = 150;

fn samples<T: std::fmt::Debug>(strategy: impl Strategy<Value = T>) -> Vec<T> {
    let mut runner = TestRunner::default();
    let mut sample = || strategy.new_tree(&mut runner).unwrap().current();
    (0..MANY).map(|_| sample()).collect()
}

#[track_caller]
fn assert_answered(reply: &Reply, sent: &str) {
    assert!((200..500).contains(&reply.status), "{sent:?}: {reply:?}");
    if reply.status >= 400 {
        assert_ne!(reply.status, 422, "{sent:?}");
        reply.assert_problem(reply.status, reply.body["code"].as_str().unwrap());
    }
}

/// Fails unless every violation points to a value that was sent, or to a missing field of an
/// object.
#[track_caller]
fn assert_named(reply: &Reply, sent: &Value) {
    if reply.body["code"] != "invalid-request" {
        return;
    }
    let pointers = reply.pointers();
    assert!(!pointers.is_empty(), "{sent}: {reply:?}");
    for pointer in pointers {
        let (parent, _) = pointer.rsplit_once('/').unwrap_or_default();
        let is_there = sent.pointer(pointer).is_some();
        let is_missing = sent.pointer(parent).is_some_and(Value::is_object);
        assert!(is_there || is_missing, "{pointer} of {sent}");
    }
}

/// A JSON value of any kind, unusual ones preferred.
fn leaf() -> impl Strategy<Value = Value> {
    let number = prop_oneof![
        any::<i64>().prop_map(|number| number.to_string()),
        any::<i8>().prop_map(|number| number.to_string()),
        (any::<i16>(), 0..5_u32).prop_map(|(number, scale)| format!("{number}e-{scale}")),
        (any::<i8>(), any::<i16>()).prop_map(|(number, scale)| format!("{number}E{scale}")),
        "-?(0|[1-9][0-9]{0,40})(\\.[0-9]{1,40})?",
    ];
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        number.prop_map(|text| serde_json::from_str(&text).unwrap()),
        any::<String>().prop_map(Value::from),
        "[A-Z]{1,12}".prop_map(Value::from),
        "\\PC{0,120}".prop_map(Value::from),
        "[0-9]{1,12}(\\.[0-9]{0,4})?".prop_map(Value::from),
    ]
}

fn anything() -> impl Strategy<Value = Value> {
    leaf().prop_recursive(4, 40, 8, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
            proptest::collection::vec((any::<String>(), inner), 0..8).prop_map(Value::from_iter),
        ]
    })
}

/// An object with some of these fields, mostly with valid values.
fn object(fields: Vec<(&'static str, BoxedStrategy<Value>)>) -> impl Strategy<Value = Value> {
    let fields: Vec<_> = fields
        .into_iter()
        .map(|(name, good)| {
            let value = prop_oneof![
                6 => good.prop_map(Some),
                1 => anything().prop_map(Some),
                1 => Just(None),
            ];
            value.prop_map(move |value| value.map(|value| (name.to_owned(), value)))
        })
        .collect();
    fields.prop_map(|fields| fields.into_iter().flatten().collect::<Map<_, _>>().into())
}

fn almost_a_cart() -> impl Strategy<Value = Value> {
    let price = "[1-9][0-9]{0,5}(\\.[0-9]{1,2})?".prop_map(Value::from);
    let line = object(vec![
        ("product_id", (1..1000_i64).prop_map(Value::from).boxed()),
        ("sku", "SKU000[1-9]".prop_map(Value::from).boxed()),
        ("quantity", (1..20_u32).prop_map(Value::from).boxed()),
        ("unit_price", price.boxed()),
    ]);
    let lines = proptest::collection::vec(line, 0..4).prop_map(Value::from);
    object(vec![
        ("customer_id", Just(Value::from(5)).boxed()),
        ("items", lines.boxed()),
        ("currency", Just(Value::from("USD")).boxed()),
        ("payment_method", "[A-Z]{4}".prop_map(Value::from).boxed()),
        (
            "shipping_address",
            "\\PC{1,60}".prop_map(Value::from).boxed(),
        ),
    ])
}

fn almost_an_update() -> impl Strategy<Value = Value> {
    let of = |words: &'static [&'static str]| {
        proptest::sample::select(words)
            .prop_map(Value::from)
            .boxed()
    };
    object(vec![
        (
            "order_status",
            of(&["PENDING", "CONFIRMED", "SHIPPED", "DELIVERED", "CANCELLED"]),
        ),
        (
            "payment_status",
            of(&["PENDING", "PAID", "FAILED", "REFUNDED"]),
        ),
        (
            "shipping_status",
            of(&[
                "PACKED",
                "IN_TRANSIT",
                "DELIVERED",
                "FAILED",
                "RETURNED",
                "UNKNOWN",
            ]),
        ),
    ])
}

#[tokio::test]
async fn arbitrary_json_never_makes_a_placement_fail() {
    let app = TestApp::start().await;
    let bodies = samples(prop_oneof![anything(), almost_a_cart(), almost_a_cart()]);
    for body in bodies {
        let reply = app.customer(5).place(&body).await;
        assert_answered(&reply, &body.to_string());
        assert_named(&reply, &body);
    }
    let orders = all_orders(&app.staff()).await;
    assert_eq!(violations(&orders, &app.sandbox.ledger()), [""; 0]);
}

#[tokio::test]
async fn arbitrary_bytes_never_make_a_placement_fail() {
    let app = TestApp::start().await;
    let places = proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4);
    for (body, changes) in samples((almost_a_cart(), places)) {
        let mut bytes = body.to_string().into_bytes();
        for (place, byte) in changes {
            let at = place.index(bytes.len());
            bytes[at] = byte;
        }
        let sent = format!("{}", bytes.escape_ascii());
        let body: Option<Value> = serde_json::from_slice(&bytes).ok();
        let reply = send_json(&app.customer(5), Method::POST, CREATE, bytes).await;
        assert_answered(&reply, &sent);
        if let Some(body) = body {
            assert_named(&reply, &body);
        }
    }
}

#[tokio::test]
async fn arbitrary_json_never_makes_an_update_fail() {
    let app = TestApp::start().await;
    let mut order_id = 0;
    let bodies = samples(prop_oneof![
        anything(),
        almost_an_update(),
        almost_an_update()
    ]);
    for (turn, body) in bodies.into_iter().enumerate() {
        if turn % 5 == 0 {
            order_id = Row::default().insert(&app).await;
        }
        let path = format!("/v1/orders/{order_id}/update/");
        let reply = app.staff().patch(&path, &body).await;
        assert_answered(&reply, &body.to_string());
        assert_named(&reply, &body);
    }
}

#[tokio::test]
async fn arbitrary_queries_never_make_a_list_fail() {
    let app = TestApp::start().await;
    let row = Row {
        tracking_no: Some("TRK1"),
        ..Row::default()
    };
    row.insert(&app).await;
    const NAMES: &[&str] = &[
        "status_filter",
        "payment_filter",
        "shipping_filter",
        "search",
        "sku",
        "created_from",
        "created_to",
        "min_total",
        "max_total",
        "sort_by",
        "sort_dir",
        "page",
        "page_size",
        "cursor",
    ];
    let value = prop_oneof![
        any::<String>(),
        "[0-9]{1,20}(\\.[0-9]{0,5})?",
        "[%_\\\\'\";*0-9A-Za-z-]{0,30}",
        "(19|20|99)[0-9]{2}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-6][0-9](Z|[+-][0-2][0-9]:[0-5][0-9])",
        "(pending|PAID|Shipped|DELIVERED|created_at|total|asc|desc)(,[A-Z]{0,9}){0,2}",
    ];
    let pairs = proptest::collection::vec((proptest::sample::select(NAMES), value), 0..4);
    for pairs in samples(pairs) {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(&pairs);
        let path = format!("/v1/orders/?{}", query.finish());
        let reply = app.staff().get(&path).await;
        assert_answered(&reply, &path);
        let pointers = reply.pointers();
        assert_eq!(
            pointers.is_empty(),
            reply.status == 200,
            "{path}: {reply:?}"
        );
        for pointer in pointers {
            let is_sent = pairs.iter().any(|(name, _)| *name == &pointer[1..]);
            assert!(is_sent, "{pointer} of {path}");
        }
    }
    for bytes in samples(proptest::collection::vec(any::<u8>(), 0..60)) {
        let mut path = "/v1/orders/?search=".to_owned();
        for byte in bytes {
            let _ = write!(path, "%{byte:02X}");
        }
        assert_answered(&app.customer(5).get(&path).await, &path);
    }
}

/// List parameters with valid values.
fn question() -> impl Strategy<Value = Vec<(&'static str, String)>> {
    // Characters that a browser or the service would replace are refused.
    let text = "\\PC{1,20}".prop_filter("has letters", |text| {
        !text.trim().is_empty() && !text.contains(char::REPLACEMENT_CHARACTER)
    });
    let statuses = |known: &'static [&'static str]| {
        proptest::sample::subsequence(known, 1..=known.len()).prop_map(|some| some.join(","))
    };
    let one_of =
        |known: &'static [&'static str]| proptest::sample::select(known).prop_map(str::to_owned);
    let moment =
        "20[0-9]{2}-0[1-9]-(1[0-9]|2[0-8])T[01][0-9]:[0-5][0-9]:[0-5][0-9](Z|[+-]0[0-9]:30)";
    let total = "[0-9]{1,9}(\\.[0-9]{1,2})?";
    let values: Vec<(&'static str, BoxedStrategy<String>)> = vec![
        (
            "status_filter",
            statuses(&["PENDING", "confirmed", "Shipped"]).boxed(),
        ),
        ("payment_filter", statuses(&["paid", "REFUNDED"]).boxed()),
        (
            "shipping_filter",
            statuses(&["UNKNOWN", "returned"]).boxed(),
        ),
        ("search", text.clone().boxed()),
        ("sku", text.boxed()),
        ("created_from", moment.boxed()),
        ("created_to", moment.boxed()),
        ("min_total", total.boxed()),
        ("max_total", total.boxed()),
        ("currency", one_of(&["USD", "inr"]).boxed()),
        ("open", one_of(&["true", "false"]).boxed()),
        (
            "sort_by",
            one_of(&["created_at", "total", "order_id"]).boxed(),
        ),
        ("sort_dir", one_of(&["asc", "DESC"]).boxed()),
        (
            "page_size",
            (1..=100_u32).prop_map(|size| size.to_string()).boxed(),
        ),
    ];
    let some = proptest::sample::subsequence(values, 0..=8).prop_shuffle();
    some.prop_flat_map(|some| {
        let pairs = some.into_iter().map(|(name, value)| (Just(name), value));
        pairs.collect::<Vec<_>>()
    })
}

#[tokio::test]
async fn links_repeat_the_query_unchanged() {
    let app = TestApp::start().await;
    for mut pairs in samples(question()) {
        let of_page = |page: &'static str, pairs: &[(&'static str, String)]| {
            let mut query = form_urlencoded::Serializer::new(String::new());
            query.extend_pairs(pairs).append_pair("page", page);
            format!("/v1/orders/?{}", query.finish())
        };
        let path = of_page("2", &pairs);
        let reply = app.customer(5).get(&path).await;
        assert_eq!(reply.status, 200, "{path}: {reply:?}");
        let link = reply.body["previous"].as_str().unwrap();
        let (_, query) = link.split_once('?').unwrap();
        let linked: Vec<_> = form_urlencoded::parse(query.as_bytes())
            .into_owned()
            .collect();
        pairs.push(("page", "1".to_owned()));
        let asked: Vec<_> = pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect();
        assert_eq!(linked, asked, "{path}");
        let first = app
            .customer(5)
            .get(link.strip_prefix(&app.base).unwrap())
            .await;
        assert_eq!(
            (first.status, first.body["previous"].is_null()),
            (200, true),
            "{first:?}"
        );
    }
}

#[tokio::test]
async fn arbitrary_headers_never_make_a_request_fail() {
    let app = TestApp::start().await;
    let value = prop_oneof![
        "[ -~]{0,80}".prop_map(String::into_bytes),
        "(Bearer|bearer|Basic) [ -~]{0,80}".prop_map(String::into_bytes),
        "Bearer [A-Za-z0-9_=-]{0,40}(\\.[A-Za-z0-9_=-]{0,40}){0,4}".prop_map(String::into_bytes),
        proptest::collection::vec(0x80..=0xff_u8, 1..40),
    ];
    for value in samples(value) {
        let request = app.anonymous().request(Method::GET, "/v1/orders/");
        let reply = send(request.header("authorization", &value[..])).await;
        reply.assert_problem(401, "unauthenticated");
        assert_eq!(reply.header("www-authenticate"), Some("Bearer"));
    }
}
