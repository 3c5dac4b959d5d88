//! Token issuers: key pairs made for a test, signed tokens, and published keys.

use std::sync::Arc;

use aws_lc_rs::encoding::{AsDer as _, PublicKeyX509Der};
use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256,
    RsaKeyPair,
};
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, DecodingKey};
use order_service::auth::{self, KeyError, Verifier};
use order_service::clock;
use order_service::config::{Config, Environment};
use order_service::metrics::Metrics;
use serde_json::{Value, json};

use super::app::TestApp;
use super::client::SECRET;

type Sign = dyn Fn(&[u8]) -> Vec<u8> + Send + Sync;

/// A 1024-bit RSA key, and a token signed with it that is valid until 2100.
pub const TINY_PEM: &str = "-----BEGIN PUBLIC KEY-----
MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQC/XLDkrpJqbEqkRVvFyVqA9vui
KfzBeLC4gqZxkCEaK1cPWI2r2dWF1wa/MYBGUqJoKanYibnCAokCNhfyU08Kc94R
ayVbpSstMKFAUf6Yd2xK+C7zbHb+G1KsV1mrO/N50oepEa1KoD6g/NvCA+YGvzMV
MGpp/JKlSDCoPWdSGwIDAQAB
-----END PUBLIC KEY-----
";
pub const TINY_MODULUS: &str = "v1yw5K6SamxKpEVbxclagPb7oin8wXiwuIKmcZAhGitXD1iNq9nVhdcGvzGARlKiaCmp2Im5wgKJAjYX8lNPCnPe\
    EWslW6UrLTChQFH-mHdsSvgu82x2_htSrFdZqzvzedKHqRGtSqA-oPzbwgPmBr8zFTBqafySpUgwqD1nUhs";
pub const TINY_TOKEN: &str = "eyJhbGciOiJSUzI1NiIsImtpZCI6InRpbnkifQ.eyJ1c2VyX2lkIjo1LCJleHAiOjQxMDI0NDQ4MDB9.jOnn6PEi\
    JRt4rhsLekVBVhGEz4kWM16ocsbPy55cwarINzDnnYOFaQVhzBoGsMblyBT0qBlc9wSGHPZ_nASI2SJyyVShBMBb\
    hhSzov66OgTkEl8KCxW6e0n6ttk-r9rxcBOPHYPFS8IYa5CsfydhqGpgyouNbUMdGn1LSJf6D7M";

/// A signing key and its public key in PEM; an issuer with a shared secret has none.
pub struct Issuer {
    pub algorithm: &'static str,
    pub public_pem: String,
    sign: Box<Sign>,
}

impl Issuer {
    /// With the test secret.
    pub fn hs256() -> Self {
        Self::by_secret(SECRET.as_bytes())
    }

    /// With a shared secret.
    pub fn by_secret(secret: &[u8]) -> Self {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
        Self {
            algorithm: "HS256",
            public_pem: String::new(),
            sign: Box::new(move |message| hmac::sign(&key, message).as_ref().to_vec()),
        }
    }

    pub fn rs256() -> Self {
        let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
        let der: PublicKeyX509Der<'_> = pair.public_key().as_der().unwrap();
        Self {
            algorithm: "RS256",
            public_pem: pem(der.as_ref()),
            sign: Box::new(move |message| {
                let mut signature = vec![0; pair.public_modulus_len()];
                let random = SystemRandom::new();
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature)
                    .unwrap();
                signature
            }),
        }
    }

    pub fn es256() -> Self {
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

    pub fn eddsa() -> Self {
        let pair = Ed25519KeyPair::generate().unwrap();
        let der: PublicKeyX509Der<'_> = pair.public_key().as_der().unwrap();
        Self {
            algorithm: "EdDSA",
            public_pem: pem(der.as_ref()),
            sign: Box::new(move |message| pair.sign(message).as_ref().to_vec()),
        }
    }

    /// Signs these bytes.
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        (self.sign)(message)
    }

    /// A validly signed token with any header and payload.
    pub fn signed(&self, header: &str, payload: impl AsRef<[u8]>) -> String {
        let message = format!("{}.{}", base64(header), base64(payload));
        let signature = base64(self.sign(message.as_bytes()));
        format!("{message}.{signature}")
    }

    /// A token with these claims.
    pub fn token(&self, claims: &Value) -> String {
        self.signed(&self.header(), claims.to_string())
    }

    /// A token of customer 5 that names its key id.
    pub fn token_by(&self, kid: &str) -> String {
        let header = json!({ "alg": self.algorithm, "kid": kid });
        self.signed(&header.to_string(), customer().to_string())
    }

    /// The header of this issuer's tokens.
    pub fn header(&self) -> String {
        json!({ "alg": self.algorithm, "typ": "JWT" }).to_string()
    }

    /// The public key as a JWK.
    pub fn jwk(&self, kid: &str) -> Value {
        let pem = self.public_pem.as_bytes();
        let (key, algorithm) = match self.algorithm {
            "RS256" => (DecodingKey::from_rsa_pem(pem), Algorithm::RS256),
            "ES256" => (DecodingKey::from_ec_pem(pem), Algorithm::ES256),
            _ => (DecodingKey::from_ed_pem(pem), Algorithm::EdDSA),
        };
        let jwk = Jwk::from_decoding_key(&key.unwrap(), Some(algorithm)).unwrap();
        let mut jwk = serde_json::to_value(jwk).unwrap();
        jwk["kid"] = json!(kid);
        jwk["use"] = json!("sig");
        jwk
    }

    /// A service that trusts this issuer's key.
    pub async fn app(&self) -> TestApp {
        self.app_with(&self.public_pem).await
    }

    /// A service that trusts this key with the issuer's algorithm.
    pub async fn app_with(&self, pem: &str) -> TestApp {
        if self.algorithm == "HS256" {
            return TestApp::start().await;
        }
        TestApp::with(&[
            ("SECRET_KEY", ""),
            ("JWT_PUBLIC_KEY", pem),
            ("JWT_ALGORITHM", self.algorithm),
        ])
        .await
    }
}

/// The token settings of an environment.
pub fn asked(settings: &[(&str, &str)]) -> auth::AuthSettings {
    let mut environment = Environment::default();
    environment.set("DATABASE_URL", "postgres://orders@127.0.0.1/orders");
    for (name, value) in settings {
        environment.set(name, *value);
    }
    environment.read(Config::read).unwrap().auth
}

/// A verifier with a fixed key.
pub fn verifier(settings: &[(&str, &str)]) -> Verifier {
    let metrics = Arc::new(Metrics::new().unwrap());
    let verifier = Verifier::new(&asked(settings), metrics, |_| -> Result<_, KeyError> {
        unreachable!("fetches nothing")
    });
    verifier.unwrap()
}

/// Claims of customer 5, valid for an hour.
pub fn customer() -> Value {
    json!({ "user_id": 5, "token_type": "access", "exp": clock::now().unix_timestamp() + 3600 })
}

/// URL-safe base64 without padding.
pub fn base64(bytes: impl AsRef<[u8]>) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
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
