//! The names of order lines.

use serde_json::{Value, json};

use super::{assert_fault, whole_cart};
use crate::support::app::TestApp;

fn named(name: Value) -> Value {
    let mut cart = whole_cart();
    cart["items"][0]["name"] = name;
    cart
}

#[tokio::test]
async fn a_line_keeps_its_optional_name() {
    let app = TestApp::start().await;
    let placed = app.customer(5).place(&named(json!("  Walnut Lamp "))).await;
    assert_eq!(placed.status, 201, "{placed:?}");
    let details = app.customer(5).details(placed.order_id()).await;
    for reply in [&placed, &details] {
        assert_eq!(reply.body["items"][0]["name"], "Walnut Lamp");
        assert_eq!(reply.body["items"][1]["name"], Value::Null);
    }
    let found = app.customer(5).get("/v1/orders/?search=walnut").await;
    assert_eq!(found.body["results"][0]["items"], details.body["items"]);
    let null = app.customer(5).place(&named(Value::Null)).await;
    assert_eq!(null.status, 201, "{null:?}");
}

#[tokio::test]
async fn invalid_line_names_are_refused() {
    let app = TestApp::start().await;
    let longest = "ü".repeat(200);
    assert_eq!(
        app.customer(5).place(&named(json!(longest))).await.status,
        201
    );
    for (name, code) in [
        (json!(""), "empty"),
        (json!(" "), "empty"),
        (json!("ü".repeat(201)), "too_long"),
        (json!("a\nb"), "control_character"),
        (json!("a\u{0}b"), "control_character"),
        (json!(7), "wrong_type"),
        (json!(["Lamp"]), "wrong_type"),
    ] {
        let reply = app.customer(5).place(&named(name.clone())).await;
        assert_fault(&reply, "/items/0/name", code, &name.to_string());
    }
}

#[tokio::test]
async fn concurrent_orders_with_a_new_name_store_it_once() {
    let app = TestApp::start().await;
    let placements = (0..12).map(|index| {
        let client = app.customer(5);
        let mut cart = named(json!("Brass Clock"));
        if index % 2 == 0 {
            cart["items"].as_array_mut().unwrap().reverse();
        }
        tokio::spawn(async move { client.place(&cart).await.status })
    });
    for placed in placements.collect::<Vec<_>>() {
        assert_eq!(placed.await.unwrap(), 201);
    }
    assert_eq!(app.database.count("item_terms").await, 2);
}
