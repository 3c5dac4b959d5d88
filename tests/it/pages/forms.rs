//! Forms: the cancellation of an order, and the CSRF protection.

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
    let version = field(&page, "version");
    let fields = [("version", version.as_str())];
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

/// What browsers send with a form of another site.
const FOREIGN: [&[(&str, &str)]; 5] = [
    &[("origin", "https://evil.example")],
    &[("origin", "null")],
    &[("sec-fetch-site", "cross-site")],
    &[("sec-fetch-site", "same-site")],
    &[
        ("sec-fetch-site", "cross-site"),
        ("origin", "https://evil.example"),
    ],
];

fn with_headers(
    request: reqwest::RequestBuilder,
    headers: &[(&str, &str)],
) -> reqwest::RequestBuilder {
    let add = |request: reqwest::RequestBuilder, (name, value): &(&str, &str)| {
        request.header(*name, *value)
    };
    headers.iter().fold(request, add)
}

#[tokio::test]
async fn cross_origin_forms_change_nothing() {
    let app = TestApp::with(AT_REST).await;
    let order_id = place(&app, 5).await;
    let visitor = Visitor::signed_in(&app, "customer5").await;
    let staff = Visitor::signed_in(&app, "staff").await;
    let cancel = format!("/orders/{order_id}/cancel/");
    let version = field(&visitor.get(&cancel).await, "version");
    let fields = [("version", version.as_str())];
    let decision = [("decision", "retry"), ("reason", "x")];
    let credentials = [("username", "customer5"), ("password", "customer5")];
    for headers in FOREIGN {
        let desk = format!("/desk/orders/{order_id}/");
        let stranger = Visitor::stranger(&app);
        for request in [
            visitor.form(&cancel, &fields),
            visitor.form("/sign-out/", &fields),
            staff.form(&desk, &decision),
            stranger.form("/sign-in/", &credentials),
        ] {
            let reply = send(with_headers(request, headers)).await;
            assert_page(&reply, 403);
            assert!(reply.header("set-cookie").is_none(), "{headers:?}");
            assert!(reply.text.contains("another site"), "{}", reply.text);
        }
        // A client that does not ask for HTML gets the problem as JSON.
        let request = app.anonymous().request(reqwest::Method::POST, "/sign-out/");
        let request = request.header("cookie", visitor.cookie());
        let reply = send(with_headers(request, headers)).await;
        reply.assert_problem(403, "forbidden");
    }
    let now = app.customer(5).details(order_id).await.body;
    assert_eq!(
        (&now["order_status"], &now["version"]),
        (&"CONFIRMED".into(), &version.parse::<i64>().unwrap().into())
    );
}

#[tokio::test]
async fn same_origin_forms_are_accepted() {
    let mut app = TestApp::with(AT_REST).await;
    let base = app.base.clone();
    let visitor = Visitor::signed_in(&app, "customer5").await;
    for headers in [
        // Clients that are no browsers send neither header.
        &[][..],
        &[("origin", base.as_str())],
        &[("sec-fetch-site", "same-origin")],
        &[("sec-fetch-site", "none")],
        &[("sec-fetch-site", "same-origin"), ("origin", base.as_str())],
    ] {
        let request = with_headers(visitor.form("/sign-out/", &[]), headers);
        assert_eq!(send(request).await.status, 303, "{headers:?}");
    }
    // Behind a proxy the host may be another one than in PUBLIC_URL, whose origin is trusted.
    let public = [("origin", "https://shop.example")];
    let request = with_headers(visitor.form("/sign-out/", &[]), &public);
    assert_page(&send(request).await, 403);
    app.set("PUBLIC_URL", "https://shop.example/");
    app.restart().await;
    let visitor = Visitor::signed_in(&app, "customer5").await;
    let request = with_headers(visitor.form("/sign-out/", &[]), &public);
    assert_eq!(send(request).await.status, 303);
    for other in ["http://shop.example", "https://shop.example:8443"] {
        let request = with_headers(visitor.form("/sign-out/", &[]), &[("origin", other)]);
        assert_page(&send(request).await, 403);
    }
    // A page of the same host that was loaded by http may come from anybody on the network.
    let insecure = app.base.clone();
    let request = with_headers(
        visitor.form("/sign-out/", &[]),
        &[("origin", insecure.as_str())],
    );
    assert_page(&send(request).await, 403);
}

#[tokio::test]
async fn bearer_tokens_need_no_csrf_protection() {
    let app = TestApp::with(AT_REST).await;
    for headers in FOREIGN {
        let order_id = place(&app, 5).await;
        let path = format!("/v1/orders/{order_id}/cancel/");
        let request = app.customer(5).request(reqwest::Method::POST, &path);
        let reply = send(with_headers(request, headers)).await;
        assert_eq!(reply.status, 200, "{headers:?}: {reply:?}");
    }
}

#[tokio::test]
async fn forms_need_a_session_and_the_content_type_of_a_form() {
    let app = TestApp::with(AT_REST).await;
    let order_id = place(&app, 5).await;
    let visitor = Visitor::signed_in(&app, "customer5").await;
    let other = Visitor::signed_in(&app, "customer6").await;
    let cancel = format!("/orders/{order_id}/cancel/");
    let version = field(&visitor.get(&cancel).await, "version");
    let fields = [("version", version.as_str())];
    let request = visitor.request(reqwest::Method::POST, &cancel);
    let request = request.header("content-type", "text/plain");
    let body = format!("version={version}");
    assert_page(&send(request.body(body)).await, 415);
    // Without a session the form leads to the sign-in page.
    assert_eq!(
        Visitor::stranger(&app).post(&cancel, &fields).await.status,
        303
    );
    // The session of another customer cannot cancel the order.
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
    let version: i64 = field(&page, "version").parse().unwrap();
    for old in [(version - 1).to_string(), String::new(), "x".to_owned()] {
        let reply = visitor.post(&cancel, &[("version", &old)]).await;
        assert_page(&reply, 412);
        assert!(
            reply
                .text
                .contains("has changed since you opened this page"),
            "{}",
            reply.text
        );
        assert_eq!(field(&reply, "version"), version.to_string());
    }
    let update = format!("/v1/orders/{order_id}/update/");
    let news = serde_json::json!({ "shipping_status": "SHIPPED" });
    assert_eq!(app.staff().patch(&update, &news).await.status, 200);
    let fields = [("version", version.to_string())];
    let fields = fields
        .each_ref()
        .map(|(name, value)| (*name, value.as_str()));
    let reply = visitor.post(&cancel, &fields).await;
    assert_page(&reply, 409);
    let page = visitor.get(&cancel).await;
    assert_page(&page, 409);
    let now = app.customer(5).details(order_id).await.body;
    assert_eq!(now["order_status"], "SHIPPED");
}
