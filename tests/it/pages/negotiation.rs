//! Content negotiation: HTML for browsers, JSON for other clients.

use reqwest::Method;
use reqwest::header::ACCEPT;

use super::{AT_REST, hostile_cart, place};
use crate::support::app::TestApp;
use crate::support::client::send;
use crate::support::visitor::{HTML, Visitor, assert_page};

#[tokio::test]
async fn browsers_get_pages_and_other_clients_json() {
    let app = TestApp::with(AT_REST).await;
    let order_id = place(&app, 5).await;
    for path in [
        "/v1/orders/my-orders/5/".to_owned(),
        "/v1/orders/my-orders/5".to_owned(),
        format!("/v1/orders/{order_id}/details/"),
        format!("/v1/orders/{order_id}/detail"),
        format!("/v1/orders/{order_id}"),
    ] {
        for (accept, is_page) in [
            (HTML, true),
            ("text/html;q=0.9,application/json;q=0.5", true),
            ("*/*", false),
            ("application/json", false),
            ("application/json,text/html;q=0.9", false),
            ("text/html;q=0", false),
        ] {
            let request = app.customer(5).request(Method::GET, &path);
            let reply = send(request.header(ACCEPT, accept)).await;
            assert_eq!(reply.header("vary"), Some("accept"), "{path} {accept}");
            if is_page {
                assert_page(&reply, 200);
                assert!(reply.text.contains("Walnut Lamp"), "{}", reply.text);
            } else {
                assert_eq!(reply.status, 200);
                assert_eq!(reply.header("content-type"), Some("application/json"));
            }
        }
    }
    // Writes always respond with JSON.
    let request = app
        .customer(5)
        .request(Method::POST, &format!("/v1/orders/{order_id}/cancel/"));
    let cancelled = send(request.header(ACCEPT, HTML)).await;
    assert_eq!(cancelled.body["order_status"], "CANCELLED");
}

#[tokio::test]
async fn another_customers_order_is_a_404_page() {
    let app = TestApp::with(AT_REST).await;
    let theirs = place(&app, 6).await;
    let none = theirs + 1_000_000;
    let visitor = Visitor::signed_in(&app, "customer5").await;
    let mut told = Vec::new();
    for order_id in [theirs, none] {
        for path in ["/v1/orders/N/details/", "/orders/N/cancel/"] {
            let path = path.replace('N', &order_id.to_string());
            let reply = visitor.get(&path).await;
            assert_page(&reply, 404);
            let request_id = reply.header("x-request-id").unwrap();
            let text = reply.text.replace(request_id, "");
            told.push(text.replace(&format!("order {order_id}"), "order N"));
        }
    }
    assert!(told.iter().all(|text| *text == told[0]));
    assert_page(&visitor.get("/v1/orders/my-orders/6/").await, 404);
    let own = visitor.get("/v1/orders/my-orders/5/?search=Walnut").await;
    assert_page(&own, 200);
    assert!(own.text.contains("No orders match."), "{}", own.text);
}

#[tokio::test]
async fn customer_texts_are_escaped() {
    let app = TestApp::with(AT_REST).await;
    let order_id = app.customer(5).place(&hostile_cart()).await.order_id();
    let visitor = Visitor::signed_in(&app, "customer5").await;
    let search = "?search=%22%3E%3Cscript%3Ealert(3)%3C%2Fscript%3E";
    for path in [
        "/v1/orders/my-orders/5/".to_owned(),
        format!("/v1/orders/my-orders/5/{search}"),
        "/v1/orders/my-orders/5/?status_filter=%3Cscript%3E".to_owned(),
        "/v1/orders/my-orders/5/?%3Cscript%3E=1".to_owned(),
        format!("/v1/orders/{order_id}/details/"),
        format!("/orders/{order_id}/cancel/"),
        "/nowhere/%3Cscript%3E".to_owned(),
    ] {
        let reply = visitor.get(&path).await;
        for inner in ["<script>", "<img src=x", "<b>1", "\"><script"] {
            assert!(
                !reply.text.contains(inner),
                "{inner} in {path}: {}",
                reply.text
            );
        }
    }
    let stranger = Visitor::stranger(&app);
    let again = stranger.sign_in("\"><script>", "x", "/\"><script>").await;
    assert_page(&again, 401);
    assert!(!again.text.contains("<script>"), "{}", again.text);
}

#[tokio::test]
async fn errors_are_pages_for_browsers_and_json_for_others() {
    let app = TestApp::with(AT_REST).await;
    let visitor = Visitor::signed_in(&app, "customer5").await;
    for (path, status) in [
        ("/v1/orders/my-orders/5/?page=0", 400),
        ("/v1/orders/abc/details/", 400),
        ("/v1/orders/999999/details/", 404),
        ("/nowhere/", 404),
        ("/assets/nothing.css", 404),
    ] {
        assert_page(&visitor.get(path).await, status);
        let reply = app.customer(5).get(path).await;
        assert_eq!(
            reply.header("content-type"),
            Some("application/problem+json")
        );
        assert_eq!(reply.status, status);
    }
    // Paths without a page respond with JSON to every client.
    let reply = visitor.get("/v1/orders/1/tracking/").await;
    reply.assert_problem(401, "unauthenticated");
}

#[tokio::test]
async fn assets_are_immutable_and_same_origin() {
    let app = TestApp::start().await;
    let visitor = Visitor::signed_in(&app, "customer5").await;
    let page = visitor.get("/v1/orders/my-orders/5/").await.text;
    let mut found = 0;
    for part in page.split(['"']).filter(|part| part.contains("assets")) {
        let asset = Visitor::stranger(&app).get(part).await;
        assert_eq!(asset.status, 200, "{part}");
        let kept = "public, max-age=31536000, immutable";
        assert_eq!(asset.header("cache-control"), Some(kept));
        assert_eq!(asset.header("x-content-type-options"), Some("nosniff"));
        found += 1;
    }
    assert_eq!(found, 3);
    assert!(!page.contains("://"), "{page}");
}
