//! Authentication by bearer tokens (JWT). The configuration pins the algorithm, and either one key or the
//! URL of the issuer's JSON Web Key Set.

use std::sync::Arc;

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use crate::domain::principal::Principal;
use crate::metrics::Metrics;

mod claims;
mod digest;
mod jwk_set;
mod key_cache;
mod roles;
mod sign_in;
mod token_error;
mod verification_key;

pub use claims::TokenClaims;
pub use digest::sha256;
pub use jwk_set::{JwkSet, JwkSetError};
pub use key_cache::{KeyFetchError, KeySource, KeysState};
pub use roles::Roles;
pub use sign_in::{SignIn, SignInCredentials, SignInError};
pub use token_error::TokenError;
pub use verification_key::{
    KeyError, KeyRefreshPolicy, MIN_SECRET_BYTES, VerificationKey, check_key, check_secret,
};

use claims::TokenPayload;
use key_cache::KeyCache;

/// Longer tokens are rejected unread.
const MAX_TOKEN_BYTES: usize = 8 * 1024;

/// How tokens are verified. No `Debug`, because a URL may contain a password.
#[derive(Clone)]
pub struct AuthSettings {
    /// The key, or where keys are published.
    pub key: VerificationKey,
    /// The required `iss`, if any.
    pub issuer: Option<String>,
    /// The required `aud`, if any.
    pub audience: Option<String>,
    /// The accepted clock skew, in seconds.
    pub leeway_s: u64,
    /// Which claims give which role.
    pub roles: Roles,
}

/// A token that was accepted.
#[derive(Clone, Debug)]
pub struct VerifiedToken {
    /// The caller that the token identifies.
    pub principal: Principal,
    /// When it expires, leeway included, in seconds since 1970.
    pub until: i64,
}

/// Verifies tokens.
pub struct Verifier {
    keys: VerifierKeys,
    algorithm: Algorithm,
    validation: Validation,
    roles: Roles,
}

/// Where the key of a token comes from.
enum VerifierKeys {
    One(DecodingKey),
    Published(Arc<KeyCache>),
}

impl Verifier {
    /// A verifier. `source` creates the client that fetches published keys from a URL.
    pub fn new<E: From<KeyError>>(
        settings: &AuthSettings,
        metrics: Arc<Metrics>,
        source: impl FnOnce(&Url) -> Result<Arc<dyn KeySource>, E>,
    ) -> Result<Self, E> {
        let (keys, algorithm) = match &settings.key {
            VerificationKey::Published {
                url,
                algorithm,
                policy,
            } => {
                verification_key::check_algorithm(*algorithm)?;
                let cache = KeyCache::new(source(url)?, *algorithm, *policy, metrics);
                (VerifierKeys::Published(Arc::new(cache)), *algorithm)
            }
            pinned => {
                let (key, algorithm) = verification_key::decoding_key(pinned)?;
                metrics.token_keys.set(1);
                (VerifierKeys::One(key), algorithm)
            }
        };
        Ok(Self {
            keys,
            algorithm,
            validation: validation(settings, algorithm),
            roles: settings.roles.clone(),
        })
    }

    /// Verifies a token and identifies the caller. If the token names an unknown published key, waits until
    /// the keys have been fetched again.
    pub async fn verify(&self, token: &str) -> Result<VerifiedToken, TokenError> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(TokenError::Invalid);
        }
        match &self.keys {
            VerifierKeys::One(key) => self.accept(token, key),
            VerifierKeys::Published(cache) => {
                let header = jsonwebtoken::decode_header(token).map_err(|_| TokenError::Invalid)?;
                // Reject before a key is fetched, because no key would make this token acceptable.
                if header.alg != self.algorithm || header.crit.is_some() {
                    return Err(TokenError::Invalid);
                }
                let key = cache.key(header.kid.as_deref()).await?;
                self.accept(token, &key)
            }
        }
    }

    fn accept(&self, token: &str, key: &DecodingKey) -> Result<VerifiedToken, TokenError> {
        use jsonwebtoken::errors::ErrorKind as E;
        let token = jsonwebtoken::decode::<TokenPayload>(token, key, &self.validation).map_err(
            |error| match error.kind() {
                E::ExpiredSignature | E::ImmatureSignature => TokenError::Expired,
                E::MissingRequiredClaim(_)
                | E::InvalidClaimFormat(_)
                | E::InvalidIssuer
                | E::InvalidAudience => TokenError::Claims,
                _ => TokenError::Invalid,
            },
        )?;
        // A critical header that we do not understand must be rejected (RFC 7515, 4.1.11).
        if token.header.crit.is_some() {
            return Err(TokenError::Invalid);
        }
        let payload = token.claims;
        // The library accepts a list, which is not a valid issuer (RFC 7519, 4.1.1).
        if self.validation.iss.is_some() && !payload.has_one_issuer() {
            return Err(TokenError::Claims);
        }
        let leeway = i64::try_from(self.validation.leeway).unwrap_or(i64::MAX);
        Ok(VerifiedToken {
            until: payload.expires().saturating_add(leeway),
            principal: payload.principal(&self.roles)?,
        })
    }

    /// Whether there are keys, and how fresh they are.
    pub fn keys_state(&self) -> KeysState {
        match &self.keys {
            VerifierKeys::One(_) => KeysState::Ok,
            VerifierKeys::Published(cache) => cache.state(),
        }
    }

    /// Refreshes published keys in the background, for as long as it is polled.
    pub async fn keep_fresh(&self) {
        if let VerifierKeys::Published(cache) = &self.keys {
            cache.keep_fresh().await;
        }
    }
}

/// The validation of claims. The library accepts a missing claim unless it is listed as required.
fn validation(settings: &AuthSettings, algorithm: Algorithm) -> Validation {
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

/// Signs claims with HS256, as UserService does.
pub fn sign(
    claims: &TokenClaims,
    secret: &SecretString,
) -> Result<String, jsonwebtoken::errors::Error> {
    let key = EncodingKey::from_secret(secret.expose_secret().as_bytes());
    jsonwebtoken::encode(&Header::new(Algorithm::HS256), claims, &key)
}
