//! Accessibility: labels, heading order, contrast, and no horizontal scrolling on a phone.

use serde_json::json;

use super::{QUICK, place};
use crate::pages::desk::stuck;
use crate::support::app::TestApp;
use crate::support::browser::{Browser, with_browser};

/// A script that returns the accessibility faults of the current page.
const FAULTS: &str = include_str!("faults.js");

#[tokio::test]
async fn every_page_passes_the_accessibility_checks() {
    let app = TestApp::with(QUICK).await;
    let customer = app.customer(5);
    for name in [
        "Walnut Lamp",
        "Oak Chair",
        "Pine Desk with a name that is rather long for a phone",
    ] {
        place(&customer, name, "100.00").await;
    }
    let order_id = place(&customer, "Linen Curtain", "35.50").await;
    let stuck = stuck(&app).await;
    with_browser(&app.base, async |browser| {
        look(browser, "/sign-in/", "sign-in").await;
        browser.sign_in("customer5").await;
        browser.until_path("/v1/orders/my-orders/5/").await;
        look(browser, "/v1/orders/my-orders/5/", "history").await;
        look(
            browser,
            "/v1/orders/my-orders/5/?search=nothing",
            "nothing-found",
        )
        .await;
        look(browser, &format!("/v1/orders/{order_id}/details/"), "order").await;
        look(browser, &format!("/orders/{order_id}/cancel/"), "cancel").await;
        look(browser, "/v1/orders/999999/details/", "not-found").await;
        browser.click(".brand").await;
        browser.until_path("/v1/orders/my-orders/5/").await;
        browser.click(".out button").await;
        browser.until_path("/sign-in/").await;
        browser.sign_in("staff").await;
        browser.until_path("/desk/").await;
        look(browser, "/desk/", "desk").await;
        look(browser, &format!("/desk/orders/{stuck}/"), "desk-order").await;
    })
    .await;
}

async fn look(browser: &Browser, path: &str, name: &str) {
    for width in [390, 1280] {
        for scheme in ["light", "dark"] {
            browser.show(width, scheme).await;
            browser.open(path).await;
            let faults = browser.ask(FAULTS).await;
            assert_eq!(faults, json!([]), "{path} at {width} px, {scheme}");
            if scheme == "light" {
                browser.picture(&format!("{name}-{width}")).await;
            }
        }
    }
}
