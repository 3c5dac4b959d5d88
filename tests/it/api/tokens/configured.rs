//! Tokens that are asked for more: an issuer, an audience, or a secret of their own.

use serde_json::json;

use super::{ask, claims, refused, signed};
use crate::support::app::TestApp;
use crate::support::client::Client;

#[tokio::test]
async fn issuer_and_audience_are_asked_for_when_they_are_configured() {
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
async fn metrics_ask_for_their_own_token_when_there_is_one() {
    let app = TestApp::with(&[("METRICS_TOKEN", "scrape-me")]).await;
    let with = |token: &str| Client::with_token(&app.base, token.to_owned());
    for path in ["/metrics", "/metrics/"] {
        assert_eq!(with("scrape-me").get(path).await.status, 200);
        for client in [
            app.nobody(),
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
    assert_eq!(app.nobody().get("/health/").await.status, 200);
}
