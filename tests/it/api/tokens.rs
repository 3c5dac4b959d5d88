//! Tokens: forged, odd, stale and of other kinds.

mod configured;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
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

/// The claims of a customer, and others in their place; null takes one away.
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

fn base64(text: impl AsRef<[u8]>) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(text)
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
async fn forged_and_broken_tokens_are_refused() {
    let app = TestApp::start().await;
    let good = signed(&claims(&json!({})));
    assert_eq!(ask(&app, &good).await.status, 200);
    let [header, payload, signature] = good.split('.').collect::<Vec<_>>()[..] else {
        panic!("{good}");
    };
    let unsigned = |alg: &str| base64(json!({ "alg": alg, "typ": "JWT" }).to_string());
    let other = |others: Value| base64(claims(&others).to_string());
    let hs = |algorithm| {
        signed_with(
            &Header::new(algorithm),
            &claims(&json!({})),
            SECRET.as_bytes(),
        )
    };
    let secret = |secret: &[u8]| signed_with(&Header::default(), &claims(&json!({})), secret);
    for (what, token) in [
        (
            "alg none without signature",
            format!("{}.{payload}.", unsigned("none")),
        ),
        ("alg None", format!("{}.{payload}.", unsigned("None"))),
        (
            "alg none with a signature",
            format!("{}.{payload}.{signature}", unsigned("none")),
        ),
        (
            "alg empty",
            format!("{}.{payload}.{signature}", unsigned("")),
        ),
        (
            "alg of another case",
            format!("{}.{payload}.{signature}", unsigned("hs256")),
        ),
        ("no alg", format!("{}.{payload}.{signature}", base64("{}"))),
        ("HS384", hs(Algorithm::HS384)),
        ("HS512", hs(Algorithm::HS512)),
        (
            "RS256 by name",
            format!("{}.{payload}.{signature}", unsigned("RS256")),
        ),
        (
            "another secret",
            secret(b"another-secret-of-at-least-32-bytes!!"),
        ),
        ("no secret", secret(b"")),
        (
            "another payload",
            format!("{header}.{}.{signature}", other(json!({ "user_id": 6 }))),
        ),
        (
            "staff by hand",
            format!(
                "{header}.{}.{signature}",
                other(json!({ "is_staff": true }))
            ),
        ),
        ("no signature", format!("{header}.{payload}.")),
        (
            "half a signature",
            format!("{header}.{payload}.{}", &signature[..20]),
        ),
        ("two parts", format!("{header}.{payload}")),
        ("one part", header.to_owned()),
        ("four parts", format!("{good}.{signature}")),
        ("two dots", "..".to_owned()),
        ("bad base64", format!("{header}.%%%%.{signature}")),
        ("padded base64", format!("{header}.{payload}==.{signature}")),
        (
            "no json",
            signed_parts("{", &claims(&json!({})).to_string()),
        ),
        (
            "payload of no json",
            signed_parts(r#"{"alg":"HS256"}"#, "user_id=5"),
        ),
        (
            "payload of a list",
            signed_parts(r#"{"alg":"HS256"}"#, "[5]"),
        ),
        ("words", "hello world".to_owned()),
        (
            "9 KiB",
            signed(&claims(&json!({ "padding": "x".repeat(9 * 1024) }))),
        ),
        ("an empty one", String::new()),
    ] {
        refused(&app, what, &token).await;
    }
}

/// Signed well, whatever it is.
fn signed_parts(header: &str, payload: &str) -> String {
    let message = format!("{}.{}", base64(header), base64(payload));
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, SECRET.as_bytes());
    let signature = aws_lc_rs::hmac::sign(&key, message.as_bytes());
    format!("{message}.{}", base64(signature))
}

#[tokio::test]
async fn a_token_signed_by_hand_is_as_good() {
    let app = TestApp::start().await;
    let token = signed_parts(r#"{"alg":"HS256"}"#, &claims(&json!({})).to_string());
    assert_eq!(ask(&app, &token).await.status, 200);
}

#[tokio::test]
async fn what_a_signer_marks_as_critical_and_we_do_not_know_is_refused() {
    let app = TestApp::start().await;
    let header = r#"{"alg":"HS256","crit":["exp"],"exp":1}"#;
    let token = signed_parts(header, &claims(&json!({})).to_string());
    refused(&app, "crit", &token).await;
}

#[tokio::test]
async fn tokens_out_of_their_time_are_refused() {
    let app = TestApp::start().await;
    for (what, others) in [
        ("expired", json!({ "exp": now() - 60 })),
        ("expired at zero", json!({ "exp": 0 })),
        ("expired before time began", json!({ "exp": -1 })),
        ("exp as text", json!({ "exp": (now() + 3600).to_string() })),
        ("exp null", json!({ "exp": null })),
        ("exp true", json!({ "exp": true })),
        ("exp a list", json!({ "exp": [now() + 3600] })),
        ("not valid yet", json!({ "nbf": now() + 3600 })),
        ("nbf as text", json!({ "nbf": "now" })),
    ] {
        refused(&app, what, &signed(&claims(&others))).await;
    }
    refused(&app, "no exp", &signed(&without("exp"))).await;
    let huge = claims(&json!({}))
        .to_string()
        .replace(&(now() + 3600).to_string(), "1e400");
    refused(
        &app,
        "exp beyond all numbers",
        &signed_parts(r#"{"alg":"HS256"}"#, &huge),
    )
    .await;
}

#[tokio::test]
async fn tokens_that_are_not_for_access_are_refused() {
    let app = TestApp::start().await;
    for kind in [
        json!("refresh"),
        json!("id"),
        json!("ACCESS"),
        json!(""),
        json!(null),
        json!(1),
        json!(["access"]),
        json!({ "access": true }),
    ] {
        let token = signed(&claims(&json!({ "token_type": kind, "is_staff": true })));
        refused(&app, &format!("token_type {kind}"), &token).await;
    }
    assert_eq!(ask(&app, &signed(&without("token_type"))).await.status, 200);
}

#[tokio::test]
async fn tokens_that_name_no_customer_are_refused() {
    let app = TestApp::start().await;
    for id in [
        "-5",
        "0",
        "5.0",
        "5.5",
        "5e0",
        "9223372036854775808",
        "1e400",
        "\"5 \"",
        "\" 5\"",
        "\"+5\"",
        "\"-5\"",
        "\"5.0\"",
        "\"0\"",
        "\"\"",
        "\"five\"",
        "\"٥\"",
        "\"9223372036854775808\"",
        "null",
        "true",
        "[5]",
        "{\"id\":5}",
        "\"5\\u0000\"",
        "\"5,6\"",
    ] {
        let id: Value = serde_json::from_str(id).unwrap();
        refused(
            &app,
            &format!("user_id {id}"),
            &signed(&claims(&json!({ "user_id": id }))),
        )
        .await;
        // A claim that cannot be read is not a missing one: the other does not take its place.
        let both = claims(&json!({ "user_id": id, "sub": "5" }));
        refused(&app, &format!("user_id {id} with sub"), &signed(&both)).await;
        let mut sub = without("user_id");
        sub["sub"] = id.clone();
        refused(&app, &format!("sub {id}"), &signed(&sub)).await;
    }
    refused(&app, "neither", &signed(&without("user_id"))).await;
}

#[tokio::test]
async fn a_customer_is_named_by_a_number_in_a_text_or_by_sub_as_well() {
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
            "claims that nobody asked for",
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
async fn only_what_clearly_says_staff_makes_staff() {
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
        (json!({ "role": ["staff"] }), 404),
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
async fn the_header_is_read_strictly_but_for_its_case() {
    let app = TestApp::start().await;
    let token = signed(&claims(&json!({})));
    let ask = async |values: &[String]| {
        let mut request = app.nobody().request(Method::GET, "/v1/orders/");
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
        app.nobody()
            .get(&path)
            .await
            .assert_problem(401, "unauthenticated");
    }
}
