//! Sign-in: the request to UserService and its responses.

use order_service::auth::{SignIn as _, SignInCredentials, SignInError};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;

use super::*;

async fn sign_in(fixture: &PeersFixture) -> Result<String, SignInError> {
    let users = fixture
        .peers
        .users(fixture.server.url().join("api").unwrap());
    let credentials = SignInCredentials {
        username: "ann".to_owned(),
        password: SecretString::from("s3cr\"et"),
    };
    let token = users.unwrap().sign_in(&credentials).await?;
    Ok(token.expose_secret().to_owned())
}

#[tokio::test]
async fn a_sign_in_sends_name_and_password_once() {
    let reply = ScriptedReply::json(200, json!({ "refresh": "r", "access": "a.b.c" }));
    let fixture = PeersFixture::new([reply]).await;
    assert_eq!(sign_in(&fixture).await, Ok("a.b.c".to_owned()));
    let [request] = &fixture.server.requests()[..] else {
        panic!("not one request");
    };
    assert_eq!(
        (request.method.as_str(), request.target.as_str()),
        ("POST", "/api/token/")
    );
    let body: serde_json::Value = serde_json::from_slice(&request.body).unwrap();
    assert_eq!(body, json!({ "username": "ann", "password": "s3cr\"et" }));
    assert_eq!(fixture.ended(), [("user", "sign_in", "yes")]);
}

#[tokio::test]
async fn a_sign_in_is_refused_only_by_an_explicit_rejection() {
    for status in [400, 401, 403, 422] {
        let fixture =
            PeersFixture::new([ScriptedReply::json(status, json!({ "detail": "no" }))]).await;
        assert_eq!(sign_in(&fixture).await, Err(SignInError::Wrong), "{status}");
    }
    for reply in [
        ScriptedReply::json(500, json!({ "detail": "s3cr\"et" })),
        ScriptedReply::json(429, json!({})),
        ScriptedReply::json(404, json!({})),
        ScriptedReply::json(200, json!({ "refresh": "r" })),
        ScriptedReply::json(200, json!({ "access": null })),
        ScriptedReply::text(200, "<html>"),
        ScriptedReply::redirect(301, "/api/token"),
        ScriptedReply::redirect(307, "http://127.0.0.1:9/token/"),
        ScriptedReply::close(),
    ] {
        let fixture = PeersFixture::new([reply]).await;
        let answer = sign_in(&fixture).await;
        assert!(
            matches!(answer, Err(SignInError::Unavailable(_))),
            "{answer:?}"
        );
    }
}
