//! Forms: what cancels an order, and what does not because nobody can tell that its sender meant it.

use super::{AT_REST, place};
use crate::support::app::TestApp;
use crate::support::client::send;
use crate::support::visitor::{Visitor, assert_page, field};

#[tokio::test]
async fn a_form_cancels_an_order_without_scripts() {
    let app = TestApp::with(AT_REST).await;
    let order_id = place(&app, 5).await;
    let visitor = Visitor::signed_in(&app, "customer5").await;
    let details = format!("/v1/orders/{order_id}/details/");
    let cancel = format!("/orders/{order_id}/cancel/");
    let page = visitor.get(&details).await;
    assert!(
        page.text.contains(&format!("href=\"{cancel}\"")),
        "{}",
        page.text
    );
    let page = visitor.get(&cancel).await;
    assert_page(&page, 200);
    let (proof, version) = (field(&page, "proof"), field(&page, "version"));
    let fields = [("proof", proof.as_str()), ("version", version.as_str())];
    let request = visitor.form(&cancel, &fields).header("origin", &app.base);
    let reply = send(request.header("sec-fetch-site", "same-origin")).await;
    assert_eq!(
        (reply.status, reply.header("location")),
        (303, Some(details.as_str()))
    );
    let page = visitor.get(&details).await;
    assert!(
        page.text.contains("Your order is cancelled."),
        "{}",
        page.text
    );
    assert!(!page.text.contains(&cancel));
    let again = visitor.post(&cancel, &fields).await;
    assert_eq!(again.status, 409, "{again:?}");
}

#[tokio::test]
async fn untrusted_forms_change_nothing() {
    let app = TestApp::with(AT_REST).await;
    let order_id = place(&app, 5).await;
    let visitor = Visitor::signed_in(&app, "customer5").await;
    let other = Visitor::signed_in(&app, "customer6").await;
    let cancel = format!("/orders/{order_id}/cancel/");
    let page = visitor.get(&cancel).await;
    let (proof, version) = (field(&page, "proof"), field(&page, "version"));
    let theirs = other.get("/v1/orders/my-orders/6/").await;
    let theirs = field(&theirs, "proof");
    for wrong in ["", "x", &theirs, &proof[1..], &format!("{proof}A")] {
        let fields = [("proof", wrong), ("version", &version)];
        assert_page(&visitor.post(&cancel, &fields).await, 403);
        assert_page(&visitor.post("/sign-out/", &fields).await, 403);
    }
    let fields = [("proof", proof.as_str()), ("version", version.as_str())];
    for (name, value) in [
        ("origin", "https://evil.example"),
        ("origin", "null"),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
    ] {
        let request = visitor.form(&cancel, &fields).header(name, value);
        assert_page(&send(request).await, 403);
        let request = Visitor::stranger(&app);
        let fields = [("username", "customer5"), ("password", "customer5")];
        let request = request.form("/sign-in/", &fields).header(name, value);
        let reply = send(request).await;
        assert_page(&reply, 403);
        assert!(reply.header("set-cookie").is_none());
    }
    let request = visitor.request(reqwest::Method::POST, &cancel);
    let request = request.header("content-type", "text/plain");
    let body = format!("proof={proof}&version={version}");
    assert_page(&send(request.body(body)).await, 415);
    // Without the cookie there is nobody to be asked.
    assert_eq!(
        Visitor::stranger(&app).post(&cancel, &fields).await.status,
        303
    );
    // Somebody else's proof and session do not open somebody's order.
    let fields = [("proof", theirs.as_str()), ("version", version.as_str())];
    assert_page(&other.post(&cancel, &fields).await, 404);
    let now = app.customer(5).details(order_id).await.body;
    assert_eq!(
        (&now["order_status"], &now["version"]),
        (&"CONFIRMED".into(), &version.parse::<i64>().unwrap().into())
    );
}

#[tokio::test]
async fn a_form_cancels_only_the_version_that_was_shown() {
    let app = TestApp::with(AT_REST).await;
    let order_id = place(&app, 5).await;
    let visitor = Visitor::signed_in(&app, "customer5").await;
    let cancel = format!("/orders/{order_id}/cancel/");
    let page = visitor.get(&cancel).await;
    let proof = field(&page, "proof");
    let version: i64 = field(&page, "version").parse().unwrap();
    for old in [(version - 1).to_string(), String::new(), "x".to_owned()] {
        let reply = visitor
            .post(&cancel, &[("proof", &proof), ("version", &old)])
            .await;
        assert_page(&reply, 412);
        assert!(
            reply.text.contains("has changed since you looked"),
            "{}",
            reply.text
        );
        assert_eq!(field(&reply, "version"), version.to_string());
    }
    let update = format!("/v1/orders/{order_id}/update/");
    let news = serde_json::json!({ "shipping_status": "SHIPPED" });
    assert_eq!(app.staff().patch(&update, &news).await.status, 200);
    let fields = [("proof", proof.as_str()), ("version", &version.to_string())];
    let reply = visitor.post(&cancel, &fields).await;
    assert_page(&reply, 409);
    let page = visitor.get(&cancel).await;
    assert_page(&page, 409);
    let now = app.customer(5).details(order_id).await.body;
    assert_eq!(now["order_status"], "SHIPPED");
}
