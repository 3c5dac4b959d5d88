//! Who calls: bearer tokens, verified against one key and one algorithm, both pinned by
//! configuration.

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use secrecy::{ExposeSecret as _, SecretString};

use crate::domain::principal::Principal;

mod claims;
mod sign_in;

pub use claims::Claims;
pub use sign_in::{Credentials, NotSignedIn, SignIn};

/// Shorter secrets can be guessed.
pub const MIN_SECRET_BYTES: usize = 32;
/// Longer tokens are not looked at.
const MAX_TOKEN_BYTES: usize = 8 * 1024;
/// SHA-256 of the secret that the service's earlier documentation published.
const PUBLISHED_SECRET: &str = "ec6295d057dd374c15c65209b4a525e552b4a92f442fa944a3ccb652eaebf318";

/// With what tokens are verified.
#[derive(Clone, Debug)]
pub enum Key {
    /// HS256.
    Secret(SecretString),
    /// RS256, ES256 or EdDSA.
    Public {
        /// PEM.
        pem: String,
        /// Which of the three.
        algorithm: Algorithm,
    },
}

/// What is asked of a token.
#[derive(Clone, Debug)]
pub struct Settings {
    /// With what it is verified.
    pub key: Key,
    /// Its `iss`, when it must have one.
    pub issuer: Option<String>,
    /// Its `aud`, when it must have one.
    pub audience: Option<String>,
    /// By how much clocks may differ, in seconds.
    pub leeway_s: u64,
}

/// Why a token is not accepted, in words that help its holder and tell nobody anything about keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// There is none.
    #[error("send a token as 'Authorization: Bearer <token>'")]
    Missing,
    /// It is not a token, or not one of ours.
    #[error("the token is malformed, or was not signed by the expected issuer's key")]
    Invalid,
    /// Its time is over, or has not come.
    #[error("the token has expired or is not valid yet")]
    Expired,
    /// A claim that is asked for is missing or different.
    #[error(
        "the token was issued for another audience, by another issuer, or lacks a required claim"
    )]
    Claims,
    /// It is a refresh token, or another token that is not for access.
    #[error("this is not an access token")]
    NotAccess,
    /// It names nobody.
    #[error("the token names no customer: it needs a numeric user_id or sub")]
    Nobody,
}

/// Why a key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// Too short.
    #[error("must be at least {MIN_SECRET_BYTES} bytes; make one with 'openssl rand -hex 32'")]
    TooShort,
    /// Known to the world.
    #[error(
        "is the secret that earlier documentation published; make one with 'openssl rand -hex 32'"
    )]
    Published,
    /// Not a key for that algorithm.
    #[error("is no public key in PEM for {0:?}")]
    NotAKey(Algorithm),
    /// Not an algorithm that is supported with a public key.
    #[error("{0:?} is not supported; use RS256, ES256 or EdDSA")]
    Algorithm(Algorithm),
}

/// What a token is good for.
#[derive(Clone, Debug)]
pub struct Access {
    /// Who holds it.
    pub principal: Principal,
    /// Until when it is accepted, in seconds since 1970.
    pub until: i64,
}

/// Verifies tokens.
pub struct Verifier {
    key: DecodingKey,
    validation: Validation,
}

impl Verifier {
    /// A verifier for one key.
    pub fn new(settings: &Settings) -> Result<Self, KeyError> {
        let (key, algorithm) = decoding_key(&settings.key)?;
        let mut validation = Validation::new(algorithm);
        validation.leeway = settings.leeway_s;
        validation.validate_nbf = true;
        // Claims that are missing pass unless they are listed as required.
        let mut required = vec!["exp"];
        match &settings.issuer {
            Some(issuer) => {
                validation.set_issuer(&[issuer]);
                required.push("iss");
            }
            None => validation.iss = None,
        }
        match &settings.audience {
            Some(audience) => {
                validation.set_audience(&[audience]);
                required.push("aud");
            }
            None => validation.validate_aud = false,
        }
        validation.set_required_spec_claims(&required);
        Ok(Self { key, validation })
    }

    /// Who holds this token, and for how long.
    pub fn verify(&self, token: &str) -> Result<Access, Rejection> {
        use jsonwebtoken::errors::ErrorKind as E;
        if token.len() > MAX_TOKEN_BYTES {
            return Err(Rejection::Invalid);
        }
        let token = jsonwebtoken::decode::<Claims>(token, &self.key, &self.validation).map_err(
            |error| match error.kind() {
                E::ExpiredSignature | E::ImmatureSignature => Rejection::Expired,
                E::MissingRequiredClaim(_)
                | E::InvalidClaimFormat(_)
                | E::InvalidIssuer
                | E::InvalidAudience => Rejection::Claims,
                _ => Rejection::Invalid,
            },
        )?;
        // Whoever signed it wants what we do not know to be understood (RFC 7515, 4.1.11).
        if token.header.crit.is_some() {
            return Err(Rejection::Invalid);
        }
        // The library takes a list as well, which is no issuer (RFC 7519, 4.1.1).
        if self.validation.iss.is_some() && !token.claims.has_one_issuer() {
            return Err(Rejection::Claims);
        }
        let leeway = i64::try_from(self.validation.leeway).unwrap_or(i64::MAX);
        Ok(Access {
            principal: token.claims.principal()?,
            until: token.claims.exp.saturating_add(leeway),
        })
    }
}

/// Whether a key can be used.
pub fn check_key(key: &Key) -> Result<(), KeyError> {
    decoding_key(key).map(|_| ())
}

fn decoding_key(key: &Key) -> Result<(DecodingKey, Algorithm), KeyError> {
    Ok(match key {
        Key::Secret(secret) => {
            check_secret(secret)?;
            (
                DecodingKey::from_secret(secret.expose_secret().as_bytes()),
                Algorithm::HS256,
            )
        }
        Key::Public { pem, algorithm } => (public_key(pem, *algorithm)?, *algorithm),
    })
}

/// Whether a secret may be used at all.
pub fn check_secret(secret: &SecretString) -> Result<(), KeyError> {
    let bytes = secret.expose_secret().as_bytes();
    if bytes.len() < MIN_SECRET_BYTES {
        return Err(KeyError::TooShort);
    }
    if hex(&sha256(bytes)) == PUBLISHED_SECRET {
        return Err(KeyError::Published);
    }
    Ok(())
}

fn public_key(pem: &str, algorithm: Algorithm) -> Result<DecodingKey, KeyError> {
    let key = match algorithm {
        Algorithm::RS256 => DecodingKey::from_rsa_pem(pem.as_bytes()),
        Algorithm::ES256 => DecodingKey::from_ec_pem(pem.as_bytes()),
        Algorithm::EdDSA => DecodingKey::from_ed_pem(pem.as_bytes()),
        other => return Err(KeyError::Algorithm(other)),
    };
    key.map_err(|_| KeyError::NotAKey(algorithm))
}

/// Signs claims with a secret, as UserService does.
pub fn sign(claims: &Claims, secret: &SecretString) -> Result<String, jsonwebtoken::errors::Error> {
    let key = EncodingKey::from_secret(secret.expose_secret().as_bytes());
    jsonwebtoken::encode(&Header::new(Algorithm::HS256), claims, &key)
}

/// SHA-256, by the library that TLS and tokens use already.
pub fn sha256(bytes: &[u8]) -> Vec<u8> {
    aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes)
        .as_ref()
        .to_vec()
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
