//! The HTML pages over real sockets: access, sign-in and cross-site requests.

pub mod desk;
mod forms;
mod negotiation;
mod session;

use serde_json::{Value, json};

use crate::support::app::TestApp;

/// Turns parcel tracking off.
const AT_REST: &[(&str, &str)] = &[("FOLLOW_INTERVAL_MS", "86400000")];

/// A cart with markup in its texts.
fn hostile_cart() -> Value {
    json!({
        "shipping_address": "<b>1 Main Street</b>",
        "items": [{
            "sku": "\"><script>alert(1)</script>",
            "name": "<img src=x onerror=alert(2)>'\"&amp;",
            "quantity": 2,
            "unit_price": "10.00",
        }],
    })
}

async fn place(app: &TestApp, customer_id: i64) -> i64 {
    let body = json!({ "items": [
        { "sku": "SKU0001", "name": "Walnut Lamp", "quantity": 2, "unit_price": "100.00" },
        { "sku": "SKU0002", "quantity": 1, "unit_price": "50.00" },
    ]});
    app.customer(customer_id).place(&body).await.order_id()
}
