//! Who calls: bearer tokens, verified by the algorithm that configuration pins, with one key or with those
//! that their issuer publishes.

use std::sync::Arc;

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use crate::domain::principal::Principal;
use crate::metrics::Metrics;

mod claims;
mod key_ring;
mod key_set;
mod keys;
mod roles;
mod sign_in;

pub use claims::Claims;
pub use key_ring::{KeySource, KeysState, NotFetched, Pace};
pub use key_set::{KeySet, NotAKeySet};
pub use keys::{Key, KeyError, MIN_SECRET_BYTES, check_key, check_secret};
pub use roles::Roles;
pub use sign_in::{Credentials, NotSignedIn, SignIn};

use claims::Payload;
use key_ring::KeyRing;

/// Longer tokens are not looked at.
const MAX_TOKEN_BYTES: usize = 8 * 1024;

/// What is asked of a token. No `Debug`: a URL may carry a password.
#[derive(Clone)]
pub struct Settings {
    /// With what it is verified.
    pub key: Key,
    /// Its `iss`, when it must have one.
    pub issuer: Option<String>,
    /// Its `aud`, when it must have one.
    pub audience: Option<String>,
    /// By how much clocks may differ, in seconds.
    pub leeway_s: u64,
    /// What in it makes staff, and what a peer service.
    pub roles: Roles,
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
    /// Nothing is wrong with it so far: the issuer's keys could not be had.
    #[error("the keys that tokens are verified with are not available; try again")]
    NoKeys,
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
    keys: Keys,
    algorithm: Algorithm,
    validation: Validation,
    roles: Roles,
}

/// Where keys come from.
enum Keys {
    One(DecodingKey),
    Published(Arc<KeyRing>),
}

impl Verifier {
    /// A verifier; `source` makes what fetches keys from a URL, where they are published.
    pub fn new<E: From<KeyError>>(
        settings: &Settings,
        metrics: Arc<Metrics>,
        source: impl FnOnce(&Url) -> Result<Arc<dyn KeySource>, E>,
    ) -> Result<Self, E> {
        let (keys, algorithm) = match &settings.key {
            Key::Published {
                url,
                algorithm,
                pace,
            } => {
                keys::check_algorithm(*algorithm)?;
                let ring = KeyRing::new(source(url)?, *algorithm, *pace, metrics);
                (Keys::Published(Arc::new(ring)), *algorithm)
            }
            pinned => {
                let (key, algorithm) = keys::decoding_key(pinned)?;
                metrics.token_keys.set(1);
                (Keys::One(key), algorithm)
            }
        };
        Ok(Self {
            keys,
            algorithm,
            validation: validation(settings, algorithm),
            roles: settings.roles.clone(),
        })
    }

    /// Who holds this token, and for how long. Waits for keys to be fetched, where they are published and
    /// the token names one that is not known.
    pub async fn verify(&self, token: &str) -> Result<Access, Rejection> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(Rejection::Invalid);
        }
        match &self.keys {
            Keys::One(key) => self.accept(token, key),
            Keys::Published(ring) => {
                let header = jsonwebtoken::decode_header(token).map_err(|_| Rejection::Invalid)?;
                // No key is fetched for what would not be accepted with any.
                if header.alg != self.algorithm || header.crit.is_some() {
                    return Err(Rejection::Invalid);
                }
                let key = ring.key(header.kid.as_deref()).await?;
                self.accept(token, &key)
            }
        }
    }

    fn accept(&self, token: &str, key: &DecodingKey) -> Result<Access, Rejection> {
        use jsonwebtoken::errors::ErrorKind as E;
        let token =
            jsonwebtoken::decode::<Payload>(token, key, &self.validation).map_err(|error| {
                match error.kind() {
                    E::ExpiredSignature | E::ImmatureSignature => Rejection::Expired,
                    E::MissingRequiredClaim(_)
                    | E::InvalidClaimFormat(_)
                    | E::InvalidIssuer
                    | E::InvalidAudience => Rejection::Claims,
                    _ => Rejection::Invalid,
                }
            })?;
        // Whoever signed it wants what we do not know to be understood (RFC 7515, 4.1.11).
        if token.header.crit.is_some() {
            return Err(Rejection::Invalid);
        }
        let payload = token.claims;
        // The library takes a list as well, which is no issuer (RFC 7519, 4.1.1).
        if self.validation.iss.is_some() && !payload.has_one_issuer() {
            return Err(Rejection::Claims);
        }
        let leeway = i64::try_from(self.validation.leeway).unwrap_or(i64::MAX);
        Ok(Access {
            until: payload.expires().saturating_add(leeway),
            principal: payload.principal(&self.roles)?,
        })
    }

    /// Whether there are keys, and how fresh they are.
    pub fn keys_state(&self) -> KeysState {
        match &self.keys {
            Keys::One(_) => KeysState::Ok,
            Keys::Published(ring) => ring.state(),
        }
    }

    /// Fetches published keys again and again, for as long as it is polled.
    pub async fn keep_fresh(&self) {
        if let Keys::Published(ring) = &self.keys {
            ring.keep_fresh().await;
        }
    }
}

/// What is asked of claims. Those that are missing pass unless they are listed as required.
fn validation(settings: &Settings, algorithm: Algorithm) -> Validation {
    let mut validation = Validation::new(algorithm);
    validation.leeway = settings.leeway_s;
    validation.validate_nbf = true;
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
    validation
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
