//! Sign-in, sign-out, the session cookie and its scope.

use order_service::auth::TokenClaims;
use reqwest::Method;
use reqwest::header::COOKIE;
use serde_json::json;

use super::{AT_REST, place};
use crate::support::app::TestApp;
use crate::support::client::{claims, send, token};
use crate::support::visitor::{HTML, Visitor, assert_page, over};

#[tokio::test]
async fn an_anonymous_visitor_signs_in_and_returns() {
    let app = TestApp::with(AT_REST).await;
    let order_id = place(&app, 5).await;
    let stranger = Visitor::stranger(&app);
    let asked = format!("/v1/orders/{order_id}/details/?a=b&c=d");
    let reply = stranger.get(&asked).await;
    let to = reply.header("location").unwrap().to_owned();
    assert_eq!(reply.status, 303);
    assert!(to.starts_with("/sign-in/?next=%2Fv1%2Forders%2F"), "{to}");
    let form = stranger.get(&to).await;
    assert_page(&form, 200);
    let next = crate::support::visitor::field(&form, "next");
    let signed_in = stranger
        .sign_in("customer5", "customer5", &next.replace("&#38;", "&"))
        .await;
    assert_eq!(signed_in.status, 303);
    assert_eq!(signed_in.header("location"), Some(asked.as_str()));
    for path in ["/", "/v1/orders/my-orders/5/", "/orders/1/cancel/"] {
        let reply = stranger.get(path).await;
        assert_eq!(reply.status, 303, "{path}");
        assert!(
            reply
                .header("location")
                .unwrap()
                .starts_with("/sign-in/?next=")
        );
    }
    let visitor = Visitor::signed_in(&app, "customer5").await;
    let home = visitor.get("/").await;
    assert_eq!(home.header("location"), Some("/v1/orders/my-orders/5/"));
    let home = Visitor::signed_in(&app, "staff").await.get("/").await;
    assert_eq!(home.header("location"), Some("/desk/"));
    let again = visitor.get("/sign-in/?next=/x").await;
    assert_eq!((again.status, again.header("location")), (303, Some("/x")));
}

#[tokio::test]
async fn the_session_cookie_is_same_site_and_http_only() {
    let mut app = TestApp::start().await;
    let reply = Visitor::stranger(&app)
        .sign_in("customer5", "customer5", "/")
        .await;
    let cookie = reply.header("set-cookie").unwrap();
    let (pair, attributes) = cookie.split_once("; ").unwrap();
    assert!(pair.starts_with("order_session=ey"), "{cookie}");
    let attributes: Vec<&str> = attributes.split("; ").collect();
    assert!(attributes.contains(&"HttpOnly"), "{cookie}");
    assert!(attributes.contains(&"SameSite=Strict"), "{cookie}");
    assert!(attributes.contains(&"Path=/"), "{cookie}");
    assert!(!attributes.contains(&"Secure"), "{cookie}");
    let age = attributes
        .iter()
        .find_map(|part| part.strip_prefix("Max-Age="));
    assert!(
        (3_500..=3_620).contains(&age.unwrap().parse::<i64>().unwrap()),
        "{cookie}"
    );
    assert!(!reply.text.contains("ey") && !reply.header("location").unwrap().contains("ey"));

    app.set("PUBLIC_URL", "https://shop.example/");
    app.restart().await;
    let reply = Visitor::stranger(&app)
        .sign_in("customer5", "customer5", "/")
        .await;
    let cookie = reply.header("set-cookie").unwrap();
    assert!(cookie.starts_with("__Host-order_session="), "{cookie}");
    assert!(cookie.split("; ").any(|part| part == "Secure"), "{cookie}");
    let visitor = Visitor::with_cookie(&app, cookie.split(';').next().unwrap());
    assert_page(&visitor.get("/v1/orders/my-orders/5/").await, 200);
}

#[tokio::test]
async fn sign_in_reports_a_wrong_password_and_an_outage() {
    let app = TestApp::with(&[("USER_SERVICE_URL", "http://127.0.0.1:9/")]).await;
    let away = Visitor::stranger(&app)
        .sign_in("customer5", "customer5", "/")
        .await;
    assert_page(&away, 503);
    assert_eq!(away.header("retry-after"), Some("30"));
    assert!(away.header("set-cookie").is_none());

    let app = TestApp::start().await;
    let stranger = Visitor::stranger(&app);
    let long = "x".repeat(5000);
    for (name, password) in [
        ("customer5", "wrong"),
        ("customer5", ""),
        ("", "customer5"),
        ("customer5", &long),
        (&long, "customer5"),
    ] {
        let reply = stranger.sign_in(name, password, "/v1/x").await;
        assert_page(&reply, 401);
        assert!(
            reply.text.contains("The name or the password is wrong."),
            "{}",
            reply.text
        );
        assert!(reply.text.contains("value=\"/v1/x\""), "{}", reply.text);
        assert!(reply.header("set-cookie").is_none());
        assert!(password.is_empty() || name == password || !reply.text.contains("wrong\""));
    }
}

#[tokio::test]
async fn sign_in_redirects_stay_on_this_site() {
    let app = TestApp::start().await;
    for next in [
        "//evil.example",
        "https://evil.example/",
        "/\\evil.example",
        "/.//evil.example",
        "/\t/evil.example",
    ] {
        let reply = Visitor::stranger(&app)
            .sign_in("customer5", "customer5", next)
            .await;
        assert_eq!(
            (reply.status, reply.header("location")),
            (303, Some("/")),
            "{next}"
        );
    }
}

#[tokio::test]
async fn an_expired_session_leads_to_the_sign_in() {
    let app = TestApp::start().await;
    let expired = TokenClaims {
        exp: over(),
        user_id: Some(json!(5)),
        ..claims()
    };
    for stale in [token(&expired), "no-token".to_owned(), String::new()] {
        let visitor = Visitor::with_cookie(&app, &format!("other=1; order_session={stale}"));
        let reply = visitor.get("/v1/orders/my-orders/5/").await;
        assert_eq!(reply.status, 303);
        assert!(
            reply.header("set-cookie").unwrap().contains("Max-Age=0"),
            "{reply:?}"
        );
        assert_page(&visitor.get("/sign-in/").await, 200);
    }
}

#[tokio::test]
async fn the_session_cookie_is_limited_to_pages_and_their_script() {
    let app = TestApp::with(AT_REST).await;
    let order_id = place(&app, 5).await;
    let visitor = Visitor::signed_in(&app, "customer5").await;
    let anonymous = app.anonymous();
    let call = async |method: Method, path: String| {
        let request = anonymous
            .request(method, &path)
            .header(COOKIE, visitor.cookie());
        send(
            request
                .body("{}")
                .header("content-type", "application/json"),
        )
        .await
    };
    let of = |path: &str| format!("/v1/orders/{order_id}/{path}/");
    assert_eq!(call(Method::GET, of("events")).await.status, 200);
    for (method, path) in [
        (Method::GET, of("details")),
        (Method::GET, of("tracking")),
        (Method::GET, "/v1/orders/".to_owned()),
        (Method::GET, "/v1/orders/export/".to_owned()),
        (Method::GET, "/v1/orders/my-orders/5/".to_owned()),
        (Method::POST, "/v1/orders/create/".to_owned()),
        (Method::POST, of("cancel")),
        (Method::PATCH, of("update")),
        (Method::GET, "/v1/ops/orders/stuck/".to_owned()),
        (Method::POST, format!("/v1/ops/orders/{order_id}/retry/")),
    ] {
        let reply = call(method, path.clone()).await;
        reply.assert_problem(401, "unauthenticated");
    }
    // The Authorization header takes precedence over the cookie.
    let request = anonymous.request(Method::GET, &of("events"));
    let request = request
        .header(COOKIE, visitor.cookie())
        .bearer_auth("wrong");
    assert_eq!(send(request).await.status, 401);
    let request = anonymous
        .request(Method::GET, &of("details"))
        .header("accept", HTML);
    let request = request
        .header(COOKIE, visitor.cookie())
        .bearer_auth("wrong");
    assert_page(&send(request).await, 401);
}

#[tokio::test]
async fn signing_out_removes_the_cookie() {
    let app = TestApp::start().await;
    let visitor = Visitor::signed_in(&app, "customer5").await;
    assert_page(&visitor.get("/sign-out/").await, 405);
    let reply = visitor.post("/sign-out/", &[]).await;
    assert_eq!(
        (reply.status, reply.header("location")),
        (303, Some("/sign-in/"))
    );
    let cookie = reply.header("set-cookie").unwrap();
    assert!(
        cookie.starts_with("order_session=; ") && cookie.contains("Max-Age=0"),
        "{cookie}"
    );
}
