//! Tokens verified with a public key.

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::json;

use crate::support::app::TestApp;
use crate::support::client::Client;
use crate::support::issuer::{Issuer, customer};

/// The issuer's signature in a token that names another algorithm.
fn by_name(issuer: &Issuer, algorithm: &str) -> String {
    let header = json!({ "alg": algorithm, "typ": "JWT" });
    issuer.signed(&header.to_string(), customer().to_string())
}

fn good(issuer: &Issuer) -> String {
    issuer.token(&customer())
}

async fn status(app: &TestApp, token: String) -> u16 {
    Client::with_token(&app.base, token)
        .get("/v1/orders/")
        .await
        .status
}

/// The issuer's tokens are accepted; tokens of others are refused, whatever algorithm they name.
async fn trusts_only(issuer: &Issuer, stranger: &Issuer, others: &[&Issuer]) {
    let app = issuer.app().await;
    assert_eq!(status(&app, good(issuer)).await, 200);
    assert_eq!(
        status(&app, good(stranger)).await,
        401,
        "the same algorithm, another key"
    );
    for other in others {
        assert_eq!(status(&app, good(other)).await, 401, "{}", other.algorithm);
        let disguised = by_name(other, issuer.algorithm);
        assert_eq!(
            status(&app, disguised).await,
            401,
            "{} in disguise",
            other.algorithm
        );
    }
    // The public key must not work as a shared secret.
    for secret in [issuer.public_pem.as_str(), issuer.public_pem.trim()] {
        for algorithm in [Algorithm::HS256, Algorithm::HS384, Algorithm::HS512] {
            let key = EncodingKey::from_secret(secret.as_bytes());
            let token = encode(&Header::new(algorithm), &customer(), &key).unwrap();
            assert_eq!(
                status(&app, token).await,
                401,
                "{algorithm:?} with the public key"
            );
        }
    }
    for name in ["none", "HS256", "RS384", "PS256", "ES384"] {
        assert_eq!(status(&app, by_name(issuer, name)).await, 401, "{name}");
    }
}

#[tokio::test]
async fn rs256_tokens_are_verified() {
    let others = [&Issuer::es256(), &Issuer::eddsa()];
    trusts_only(&Issuer::rs256(), &Issuer::rs256(), &others).await;
}

#[tokio::test]
async fn es256_tokens_are_verified() {
    let others = [&Issuer::rs256(), &Issuer::eddsa()];
    trusts_only(&Issuer::es256(), &Issuer::es256(), &others).await;
}

#[tokio::test]
async fn eddsa_tokens_are_verified() {
    let others = [&Issuer::rs256(), &Issuer::es256()];
    trusts_only(&Issuer::eddsa(), &Issuer::eddsa(), &others).await;
}

#[tokio::test]
async fn a_shared_secret_refuses_tokens_of_a_key_pair() {
    let app = TestApp::start().await;
    for issuer in [Issuer::rs256(), Issuer::es256(), Issuer::eddsa()] {
        assert_eq!(
            status(&app, good(&issuer)).await,
            401,
            "{}",
            issuer.algorithm
        );
        assert_eq!(status(&app, by_name(&issuer, "HS256")).await, 401);
    }
}

#[tokio::test]
async fn a_public_key_may_be_a_file_or_one_line() {
    let issuer = Issuer::es256();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), &issuer.public_pem).unwrap();
    let one_line = issuer.public_pem.trim().replace('\n', "\\n");
    for pem in [file.path().to_str().unwrap(), &one_line] {
        let app = issuer.app_with(pem).await;
        assert_eq!(status(&app, good(&issuer)).await, 200);
    }
}
