//! The pages in a real browser: customer journeys, script injection and accessibility.

mod accessibility;

use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::browser::with_browser;
use crate::support::client::Client;

/// Events are polled at a short interval.
const QUICK: &[(&str, &str)] = &[("LIVE_POLL_MS", "20")];

async fn place(client: &Client, name: &str, unit_price: &str) -> i64 {
    let body = json!({
        "payment_method": "CARD",
        "shipping_address": "1 Main Street, Springfield",
        "items": [
            { "sku": "SKU0001", "name": name, "quantity": 2, "unit_price": unit_price },
            { "sku": "SKU0002", "quantity": 1, "unit_price": "50.00" },
        ],
    });
    let placed = client.place(&body).await;
    assert_eq!(placed.status, 201, "{placed:?}");
    placed.order_id()
}

#[tokio::test]
async fn a_customer_signs_in_tracks_an_order_and_cancels_another() {
    let app = TestApp::with(QUICK).await;
    let customer = app.customer(5);
    let lamp = place(&customer, "Walnut Lamp", "100.00").await;
    let chair = place(&customer, "Oak Chair", "80.00").await;
    with_browser(&app.base, async |browser| {
        browser.open(&format!("/v1/orders/{lamp}/details/")).await;
        browser.until_path("/sign-in/").await;
        browser.sign_in("customer5").await;
        browser
            .until_path(&format!("/v1/orders/{lamp}/details/"))
            .await;
        browser.click("nav a").await;
        browser.until_path("/v1/orders/my-orders/5/").await;
        browser.until_text(".count", "2 orders").await;

        browser.enter("#search", "lamp").await;
        browser.click("#filters button").await;
        browser.until_text(".count", "1 order found").await;
        // Changing a filter submits it.
        browser
            .click("#status_filter option[value='SHIPPED']")
            .await;
        browser.until_text(".empty", "No orders match.").await;
        browser.click(".empty a").await;
        browser.until_text(".count", "2 orders").await;

        browser
            .click(&format!("a[href='/v1/orders/{lamp}/details/']"))
            .await;
        browser.until_text("#state", "Confirmed").await;
        browser.until_text("#live", "Live").await;
        browser.ask("window.notReloaded = true").await;
        for _ in 0..2 {
            app.sandbox.advance_parcels();
        }
        browser
            .until_text("#timeline", "Your order is on its way.")
            .await;
        browser.until_text("#state", "Shipped").await;
        for _ in 0..3 {
            app.sandbox.advance_parcels();
        }
        browser.until_text("#state", "Delivered").await;
        browser
            .until_text("#timeline", "Your order was delivered.")
            .await;
        let same_page = browser.ask("return window.notReloaded === true").await;
        assert_eq!(same_page, json!(true));

        let fresh = place(&customer, "Pine Desk", "10.00").await;
        browser.open(&format!("/v1/orders/{fresh}/details/")).await;
        browser.click("a.danger").await;
        browser
            .until_path(&format!("/orders/{fresh}/cancel/"))
            .await;
        browser.click("button.danger").await;
        browser
            .until_path(&format!("/v1/orders/{fresh}/details/"))
            .await;
        browser.until_text("#state", "Cancelled").await;
        browser.open(&format!("/orders/{chair}/cancel/")).await;
        // The parcel has left; the service may not have learnt of it yet.
        let send = "document.querySelector('button.danger')?.click()";
        browser.ask(send).await;
        browser.until_text(".error", "cannot be cancelled").await;

        browser.click(".out button").await;
        browser.until_path("/sign-in/").await;
        browser.open("/").await;
        browser.until_path("/sign-in/").await;
    })
    .await;
}

#[tokio::test]
async fn customer_texts_never_run_as_script() {
    let app = TestApp::with(QUICK).await;
    let attack = "window.hit = true";
    let cart = json!({
        "shipping_address": format!("<script>{attack}</script>"),
        "items": [{
            "sku": format!("\"><script>{attack}</script>"),
            "name": format!("<img src=x onerror='{attack}'>"),
            "quantity": 1,
            "unit_price": "10.00",
        }],
    });
    let order_id = app.customer(5).place(&cart).await.order_id();
    with_browser(&app.base, async |browser| {
        browser.open("/").await;
        browser.sign_in("customer5").await;
        browser.until_path("/v1/orders/my-orders/5/").await;
        let search = "/v1/orders/my-orders/5/?search=%22%3E%3Cscript%3Ewindow.hit=true%3C/script%3E";
        for path in [
            "/v1/orders/my-orders/5/".to_owned(),
            search.to_owned(),
            format!("/v1/orders/{order_id}/details/"),
            format!("/orders/{order_id}/cancel/"),
        ] {
            browser.open(&path).await;
            let found = browser
                .ask("return [window.hit === undefined, document.querySelectorAll('img, main script').length]")
                .await;
            assert_eq!(found, json!([true, 0]), "{path}");
        }
        // The content security policy blocks even an injected script.
        let ran = browser
            .ask(
                "const s = document.createElement('script'); s.textContent = 'window.hit = true'; \
                 document.body.append(s); return window.hit === undefined",
            )
            .await;
        assert_eq!(ran, Value::Bool(true));
    })
    .await;
}
