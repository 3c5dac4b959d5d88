//! Tokens that are accepted, and the caller they identify. Refused tokens are in `hostile`.

mod configured;
mod hostile;

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use order_service::clock;
use reqwest::Method;
use serde_json::{Value, json};

use super::rows::Row;
use crate::support::app::TestApp;
use crate::support::client::{Client, Reply, SECRET, send};

fn now() -> i64 {
    clock::now().unix_timestamp()
}

/// A customer's claims with these changes; null removes a claim.
fn claims(others: &Value) -> Value {
    let mut claims = json!({ "user_id": 5, "token_type": "access", "exp": now() + 3600 });
    for (name, value) in others.as_object().unwrap() {
        claims[name] = value.clone();
    }
    claims
}

fn signed_with(header: &Header, claims: &Value, secret: &[u8]) -> String {
    encode(header, claims, &EncodingKey::from_secret(secret)).unwrap()
}

fn signed(claims: &Value) -> String {
    signed_with(&Header::new(Algorithm::HS256), claims, SECRET.as_bytes())
}

fn without(name: &str) -> Value {
    let mut claims = claims(&json!({}));
    claims.as_object_mut().unwrap().remove(name);
    claims
}

async fn ask(app: &TestApp, token: &str) -> Reply {
    let client = Client::with_token(&app.base, token.to_owned());
    client.get("/v1/orders/").await
}

async fn refused(app: &TestApp, what: &str, token: &str) {
    let reply = ask(app, token).await;
    assert_eq!(reply.status, 401, "{what}: {reply:?}");
    reply.assert_problem(401, "unauthenticated");
    assert_eq!(reply.header("www-authenticate"), Some("Bearer"));
    assert!(
        token.is_empty() || !reply.text.contains(token),
        "{what} is repeated"
    );
}

#[tokio::test]
async fn the_customer_id_may_be_a_string_or_the_sub_claim() {
    let app = TestApp::start().await;
    Row::default().insert(&app).await;
    for (what, others) in [
        ("a number", json!({})),
        ("a text", json!({ "user_id": "5" })),
        (
            "user_id goes before sub",
            json!({ "user_id": 5, "sub": "6" }),
        ),
        ("a name beside it", json!({ "user_id": 5, "sub": "alice" })),
        ("valid since now", json!({ "nbf": now() })),
        (
            "clocks that differ a little",
            json!({ "exp": now() - 5, "nbf": now() + 5 }),
        ),
        (
            "unknown claims",
            json!({ "aud": ["x"], "iss": 7, "jti": {}, "iat": "x" }),
        ),
    ] {
        let reply = ask(&app, &signed(&claims(&others))).await;
        assert_eq!(
            (reply.status, &reply.body["count"]),
            (200, &json!(1)),
            "{what}: {reply:?}"
        );
    }
    for sub in [json!("5"), json!(5)] {
        let mut claims = without("user_id");
        claims["sub"] = sub;
        let reply = ask(&app, &signed(&claims)).await;
        assert_eq!(
            (reply.status, &reply.body["count"]),
            (200, &json!(1)),
            "{reply:?}"
        );
    }
}

#[tokio::test]
async fn only_unambiguous_claims_grant_staff() {
    let app = TestApp::start().await;
    let of_another = Row::default().insert(&app).await;
    let details = format!("/v1/orders/{of_another}/details/");
    for (others, status) in [
        (json!({ "is_staff": true }), 200),
        (json!({ "role": "staff" }), 200),
        (json!({ "role": "admin" }), 200),
        (json!({ "scope": "profile orders:staff" }), 200),
        (json!({ "scope": ["profile", "orders:staff"] }), 200),
        (json!({ "role": "service" }), 200),
        (json!({ "is_staff": "true" }), 404),
        (json!({ "is_staff": "yes" }), 404),
        (json!({ "is_staff": 1 }), 404),
        (json!({ "is_staff": [true] }), 404),
        (json!({ "is_staff": null }), 404),
        (json!({ "is_staff": false }), 404),
        (json!({ "role": "STAFF" }), 404),
        (json!({ "role": "customer staff" }), 404),
        (json!({ "role": ["customer", "staff"] }), 200),
        (json!({ "role": ["customer staff"] }), 404),
        (json!({ "role": [["staff"]] }), 404),
        (json!({ "role": { "staff": true } }), 404),
        (json!({ "role": 1 }), 404),
        (json!({ "scope": "orders:staffing" }), 404),
        (json!({ "scope": "orders:staff,profile" }), 404),
        (json!({ "scope": [["orders:staff"]] }), 404),
        (json!({ "scope": { "orders:staff": true } }), 404),
        (json!({ "groups": ["staff"], "is_superuser": true }), 404),
    ] {
        let mut claims = claims(&others);
        claims["user_id"] = json!(6);
        let client = Client::with_token(&app.base, signed(&claims));
        assert_eq!(client.get(&details).await.status, status, "{others}");
    }
}

#[tokio::test]
async fn the_authorization_header_is_strict_except_for_case() {
    let app = TestApp::start().await;
    let token = signed(&claims(&json!({})));
    let ask = async |values: &[String]| {
        let mut request = app.anonymous().request(Method::GET, "/v1/orders/");
        for value in values {
            request = request.header("authorization", value);
        }
        send(request).await.status
    };
    for value in [
        format!("Bearer {token}"),
        format!("bearer {token}"),
        format!("BEARER   {token}  "),
    ] {
        assert_eq!(ask(&[value]).await, 200);
    }
    for values in [
        vec![],
        vec![String::new()],
        vec!["Bearer".to_owned()],
        vec!["Bearer ".to_owned()],
        vec![token.clone()],
        vec![format!("Bearer{token}")],
        vec![format!("Token {token}")],
        vec![format!("Basic {token}")],
        vec![format!("Bearer Bearer {token}")],
        vec![format!("Bearer {token}, Bearer {token}")],
        vec![format!("Bearer \"{token}\"")],
        vec![format!("Bearer {token}"), format!("Bearer {token}")],
        vec![format!("Bearer {token}"), "Basic eDp5".to_owned()],
    ] {
        assert_eq!(ask(&values).await, 401, "{values:?}");
    }
    for path in [
        format!("/v1/orders/?token={token}"),
        format!("/v1/orders/?access_token={token}"),
    ] {
        app.anonymous()
            .get(&path)
            .await
            .assert_problem(401, "unauthenticated");
    }
}
