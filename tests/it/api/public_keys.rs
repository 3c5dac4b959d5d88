//! Tokens that are verified with a public key.

use aws_lc_rs::encoding::{AsDer as _, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256,
    RsaKeyPair,
};
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use order_service::clock;
use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::client::Client;

type Sign = dyn Fn(&[u8]) -> Vec<u8> + Send + Sync;

/// Signs, and the key that verifies it, in PEM.
struct Issuer {
    algorithm: &'static str,
    public_pem: String,
    sign: Box<Sign>,
}

impl Issuer {
    fn rs256() -> Self {
        let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
        let der: PublicKeyX509Der<'_> = pair.public_key().as_der().unwrap();
        Self {
            algorithm: "RS256",
            public_pem: pem(der.as_ref()),
            sign: Box::new(move |message| {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(
                    &RSA_PKCS1_SHA256,
                    &SystemRandom::new(),
                    message,
                    &mut signature,
                )
                .unwrap();
                signature
            }),
        }
    }

    fn es256() -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let der: PublicKeyX509Der<'_> = pair.public_key().as_der().unwrap();
        Self {
            algorithm: "ES256",
            public_pem: pem(der.as_ref()),
            sign: Box::new(move |message| {
                let signature = pair.sign(&SystemRandom::new(), message).unwrap();
                signature.as_ref().to_vec()
            }),
        }
    }

    fn eddsa() -> Self {
        let pair = Ed25519KeyPair::generate().unwrap();
        let der: PublicKeyX509Der<'_> = pair.public_key().as_der().unwrap();
        Self {
            algorithm: "EdDSA",
            public_pem: pem(der.as_ref()),
            sign: Box::new(move |message| pair.sign(message).as_ref().to_vec()),
        }
    }

    fn token_by_name(&self, algorithm: &str) -> String {
        let header = json!({ "alg": algorithm, "typ": "JWT" });
        let part = |part: &Value| BASE64_URL_SAFE_NO_PAD.encode(part.to_string());
        let message = format!("{}.{}", part(&header), part(&claims()));
        let signature = (self.sign)(message.as_bytes());
        format!("{message}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
    }

    fn token(&self) -> String {
        self.token_by_name(self.algorithm)
    }

    /// A service that trusts this issuer.
    async fn app(&self, pem: &str) -> TestApp {
        let settings = [
            ("SECRET_KEY", ""),
            ("JWT_PUBLIC_KEY", pem),
            ("JWT_ALGORITHM", self.algorithm),
        ];
        TestApp::with(&settings).await
    }
}

fn claims() -> Value {
    json!({ "user_id": 5, "token_type": "access", "exp": clock::now().unix_timestamp() + 3600 })
}

fn pem(der: &[u8]) -> String {
    let body = BASE64_STANDARD.encode(der);
    let lines: Vec<_> = body
        .as_bytes()
        .chunks(64)
        .map(String::from_utf8_lossy)
        .collect();
    format!(
        "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n",
        lines.join("\n")
    )
}

async fn status(app: &TestApp, token: String) -> u16 {
    Client::with_token(&app.base, token)
        .get("/v1/orders/")
        .await
        .status
}

/// Its own tokens pass; nobody else's do, by whatever algorithm they claim to be signed.
async fn trusts_only(issuer: &Issuer, stranger: &Issuer, others: &[&Issuer]) {
    let app = issuer.app(&issuer.public_pem).await;
    assert_eq!(status(&app, issuer.token()).await, 200);
    assert_eq!(
        status(&app, stranger.token()).await,
        401,
        "the same algorithm, another key"
    );
    for other in others {
        assert_eq!(
            status(&app, other.token()).await,
            401,
            "{}",
            other.algorithm
        );
        let disguised = other.token_by_name(issuer.algorithm);
        assert_eq!(
            status(&app, disguised).await,
            401,
            "{} in disguise",
            other.algorithm
        );
    }
    // The public key is public: as a secret it proves nothing.
    for secret in [issuer.public_pem.as_str(), issuer.public_pem.trim()] {
        for algorithm in [Algorithm::HS256, Algorithm::HS384, Algorithm::HS512] {
            let key = EncodingKey::from_secret(secret.as_bytes());
            let token = encode(&Header::new(algorithm), &claims(), &key).unwrap();
            assert_eq!(
                status(&app, token).await,
                401,
                "{algorithm:?} with the public key"
            );
        }
    }
    for name in ["none", "HS256", "RS384", "PS256", "ES384"] {
        assert_eq!(
            status(&app, issuer.token_by_name(name)).await,
            401,
            "{name}"
        );
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
async fn a_secret_takes_no_token_of_a_key_pair() {
    let app = TestApp::start().await;
    for issuer in [Issuer::rs256(), Issuer::es256(), Issuer::eddsa()] {
        assert_eq!(
            status(&app, issuer.token()).await,
            401,
            "{}",
            issuer.algorithm
        );
        assert_eq!(status(&app, issuer.token_by_name("HS256")).await, 401);
    }
}

#[tokio::test]
async fn a_key_may_be_a_file_or_one_line() {
    let issuer = Issuer::es256();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), &issuer.public_pem).unwrap();
    let one_line = issuer.public_pem.trim().replace('\n', "\\n");
    for pem in [file.path().to_str().unwrap(), &one_line] {
        let app = issuer.app(pem).await;
        assert_eq!(status(&app, issuer.token()).await, 200);
    }
}
