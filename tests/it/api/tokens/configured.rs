//! Settings about tokens: issuer, audience, and a separate metrics token.

use serde_json::json;

use super::super::rows::Row;
use super::{ask, claims, refused, signed};
use crate::support::app::TestApp;
use crate::support::client::Client;

#[tokio::test]
async fn configured_issuer_and_audience_are_required() {
    let settings = [
        ("JWT_ISSUER", "https://users.example"),
        ("JWT_AUDIENCE", "orders"),
    ];
    let app = TestApp::with(&settings).await;
    let (iss, aud) = (json!("https://users.example"), json!("orders"));
    for aud in [aud.clone(), json!(["orders"]), json!(["shop", "orders"])] {
        let token = signed(&claims(&json!({ "iss": iss, "aud": aud })));
        assert_eq!(ask(&app, &token).await.status, 200, "{aud}");
    }
    for others in [
        json!({}),
        json!({ "aud": aud }),
        json!({ "iss": iss }),
        json!({ "iss": iss, "aud": "shop" }),
        json!({ "iss": iss, "aud": [] }),
        json!({ "iss": iss, "aud": ["shop"] }),
        json!({ "iss": iss, "aud": "Orders" }),
        json!({ "iss": iss, "aud": "orders " }),
        json!({ "iss": iss, "aud": 1 }),
        json!({ "iss": iss, "aud": null }),
        json!({ "iss": iss, "aud": { "orders": true } }),
        json!({ "iss": "https://users.example/", "aud": aud }),
        json!({ "iss": "https://evil.example", "aud": aud }),
        json!({ "iss": "", "aud": aud }),
        json!({ "iss": null, "aud": aud }),
        json!({ "iss": 1, "aud": aud }),
        json!({ "iss": ["https://users.example"], "aud": aud }),
        json!({ "iss": ["https://evil.example", "https://users.example"], "aud": aud }),
    ] {
        refused(&app, &others.to_string(), &signed(&claims(&others))).await;
    }
}

#[tokio::test]
async fn role_names_and_role_claims_are_configurable() {
    let settings = [
        ("JWT_STAFF_CLAIM", "is_superuser"),
        ("JWT_ROLE_CLAIM", "cognito:groups"),
        ("JWT_SCOPE_CLAIM", "scp"),
        ("JWT_STAFF_ROLES", "shop-admins, orders.all"),
        ("JWT_SERVICE_ROLES", "machines"),
    ];
    let app = TestApp::with(&settings).await;
    let of_another = Row::default().insert(&app).await;
    let [staff, service, neither] = [(200, 200), (200, 403), (404, 403)];
    for (others, expected) in [
        (json!({ "is_superuser": true }), staff),
        (json!({ "cognito:groups": "shop-admins" }), staff),
        (
            json!({ "cognito:groups": ["customers", "shop-admins"] }),
            staff,
        ),
        (json!({ "scp": "profile orders.all" }), staff),
        (json!({ "scp": ["orders.all"] }), staff),
        (
            json!({ "cognito:groups": ["machines", "shop-admins"] }),
            staff,
        ),
        (json!({ "cognito:groups": ["machines"] }), service),
        (json!({ "scp": "machines" }), service),
        (json!({ "is_superuser": "true" }), neither),
        (json!({ "cognito:groups": "shop-admins machines" }), neither),
        (json!({ "cognito:groups": "Shop-Admins" }), neither),
        (json!({ "scp": "orders.all,machines" }), neither),
        // The default claim names have no effect any more.
        (
            json!({ "is_staff": true, "role": "staff", "scope": "orders:staff" }),
            neither,
        ),
        (
            json!({ "is_staff": true, "cognito:groups": "staff", "scp": "orders:service" }),
            neither,
        ),
    ] {
        let mut claims = claims(&others);
        claims["user_id"] = json!(6);
        let client = Client::with_token(&app.base, signed(&claims));
        let details = client.details(of_another).await.status;
        let desk = client.get("/v1/ops/orders/stuck/").await.status;
        assert_eq!((details, desk), expected, "{others}");
    }
}

#[tokio::test]
async fn metrics_require_their_configured_token() {
    let app = TestApp::with(&[("METRICS_TOKEN", "scrape-me")]).await;
    let with = |token: &str| Client::with_token(&app.base, token.to_owned());
    for path in ["/metrics", "/metrics/"] {
        assert_eq!(with("scrape-me").get(path).await.status, 200);
        for client in [
            app.anonymous(),
            app.staff(),
            with("scrape-m"),
            with("scrape-me2"),
            with(""),
        ] {
            client
                .get(path)
                .await
                .assert_problem(401, "unauthenticated");
        }
    }
    refused(&app, "the token of the metrics", "scrape-me").await;
    assert_eq!(app.anonymous().get("/health/").await.status, 200);
}
