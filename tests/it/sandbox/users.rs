//! The sandbox UserService.

use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};
use serde_json::{Value, json};

use super::{SECRET, SandboxShop};

/// The verified claims of a token.
pub(super) fn claims(token: &str) -> Value {
    let key = DecodingKey::from_secret(SECRET.as_bytes());
    decode::<Value>(token, &key, &Validation::new(Algorithm::HS256))
        .unwrap()
        .claims
}

async fn sign_in(shop: &SandboxShop, name: &str, password: &str) -> (u16, Value) {
    shop.post("/token/", json!({ "username": name, "password": password }))
        .await
}

fn lasts(claims: &Value) -> i64 {
    claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap()
}

#[tokio::test]
async fn a_customer_signs_in_and_gets_valid_tokens() {
    let shop = SandboxShop::open().await;
    let (status, tokens) = sign_in(&shop, "customer5", "customer5").await;
    assert_eq!(status, 200);
    let access = claims(tokens["access"].as_str().unwrap());
    assert_eq!(
        (&access["token_type"], &access["user_id"]),
        (&json!("access"), &json!(5))
    );
    assert_eq!((&access["is_staff"], lasts(&access)), (&json!(false), 3600));
    let refresh = claims(tokens["refresh"].as_str().unwrap());
    assert_eq!(
        (&refresh["token_type"], lasts(&refresh)),
        (&json!("refresh"), 86_400)
    );
    assert_ne!(access["jti"], refresh["jti"]);
}

#[tokio::test]
async fn staff_signs_in_as_staff() {
    let shop = SandboxShop::open().await;
    let (_, tokens) = sign_in(&shop, "staff", "staff").await;
    let access = claims(tokens["access"].as_str().unwrap());
    assert_eq!(
        (&access["user_id"], &access["is_staff"]),
        (&json!(1000), &json!(true))
    );
}

#[tokio::test]
async fn a_wrong_password_is_a_401() {
    let shop = SandboxShop::open().await;
    for (name, password) in [
        ("customer5", "customer6"),
        ("nobody", "nobody"),
        ("staff", ""),
    ] {
        let (status, body) = sign_in(&shop, name, password).await;
        assert_eq!((status, body["detail"].is_string()), (401, true));
    }
}

#[tokio::test]
async fn only_a_refresh_token_yields_an_access_token() {
    let shop = SandboxShop::open().await;
    let (_, tokens) = sign_in(&shop, "customer5", "customer5").await;
    let refresh = |token: &Value| shop.post("/token/refresh/", json!({ "refresh": token }));
    let (status, body) = refresh(&tokens["refresh"]).await;
    assert_eq!(status, 200);
    assert_eq!(claims(body["access"].as_str().unwrap())["user_id"], 5);
    assert_eq!(refresh(&tokens["access"]).await.0, 401);
    assert_eq!(refresh(&json!("nonsense")).await.0, 401);
}
