//! The key that verifies tokens, and the checks of its strength.

use std::time::Duration;

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rsa::{PublicEncryptingKey, PublicKey, PublicKeyComponents};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256,
    VerificationAlgorithm,
};
use jsonwebtoken::{Algorithm, DecodingKey, DecodingKeyKind};
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use super::digest::sha256;

/// The least length of a secret, in bytes.
pub const MIN_SECRET_BYTES: usize = 32;
/// The least size of an RSA key, in bits.
const MIN_RSA_BITS: usize = 2048;
/// SHA-256 of the secret that the service's earlier documentation published.
const PUBLISHED_SECRET: &str = "ec6295d057dd374c15c65209b4a525e552b4a92f442fa944a3ccb652eaebf318";

/// When published keys are fetched, and how long they stay valid.
#[derive(Clone, Copy, Debug)]
pub struct KeyRefreshPolicy {
    /// The interval of the background refresh.
    pub refresh_every: Duration,
    /// How long keys stay valid after that while the issuer is unavailable.
    pub stale_for: Duration,
    /// The least time between two fetches that are caused by tokens with unknown keys.
    pub min_interval: Duration,
    /// How long a token waits for keys.
    pub max_wait: Duration,
}

/// The key that verifies tokens. No `Debug`, because a URL may contain a password.
#[derive(Clone)]
pub enum VerificationKey {
    /// HS256.
    Secret(SecretString),
    /// RS256, ES256 or EdDSA.
    Public {
        /// PEM.
        pem: String,
        /// RS256, ES256 or EdDSA.
        algorithm: Algorithm,
    },
    /// RS256, ES256 or EdDSA with the keys that the issuer publishes as a JSON Web Key Set (RFC 7517).
    Published {
        /// The URL of the key set.
        url: Url,
        /// The algorithm. Neither tokens nor published keys choose it.
        algorithm: Algorithm,
        /// When the keys are fetched.
        policy: KeyRefreshPolicy,
    },
}

/// Why a key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// Too short.
    #[error("must be at least {MIN_SECRET_BYTES} bytes; make one with 'openssl rand -hex 32'")]
    TooShort,
    /// The secret of the earlier documentation.
    #[error(
        "is the secret that earlier documentation published; make one with 'openssl rand -hex 32'"
    )]
    Published,
    /// Not a public key for that algorithm.
    #[error("is not a public key in PEM for {0:?}")]
    NotAKey(Algorithm),
    /// An RSA key of a size that is not accepted.
    #[error("is an RSA key of less than {MIN_RSA_BITS} bits, or of more than 8192")]
    RsaBits,
    /// Not a supported algorithm for a public key.
    #[error("{0:?} is not supported; use RS256, ES256 or EdDSA")]
    Algorithm(Algorithm),
}

/// Checks that a key is usable.
pub fn check_key(key: &VerificationKey) -> Result<(), KeyError> {
    match key {
        VerificationKey::Published { algorithm, .. } => check_algorithm(*algorithm),
        pinned => decoding_key(pinned).map(|_| ()),
    }
}

/// Checks that a secret is long enough and not the published one.
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

/// Checks that an algorithm uses public keys.
pub(super) fn check_algorithm(algorithm: Algorithm) -> Result<(), KeyError> {
    match algorithm {
        Algorithm::RS256 | Algorithm::ES256 | Algorithm::EdDSA => Ok(()),
        other => Err(KeyError::Algorithm(other)),
    }
}

/// A pinned key and its algorithm.
pub(super) fn decoding_key(key: &VerificationKey) -> Result<(DecodingKey, Algorithm), KeyError> {
    match key {
        VerificationKey::Secret(secret) => {
            check_secret(secret)?;
            let key = DecodingKey::from_secret(secret.expose_secret().as_bytes());
            Ok((key, Algorithm::HS256))
        }
        VerificationKey::Public { pem, algorithm } => {
            let read = match algorithm {
                Algorithm::RS256 => DecodingKey::from_rsa_pem(pem.as_bytes()),
                Algorithm::ES256 => DecodingKey::from_ec_pem(pem.as_bytes()),
                Algorithm::EdDSA => DecodingKey::from_ed_pem(pem.as_bytes()),
                other => return Err(KeyError::Algorithm(*other)),
            };
            let key = read.map_err(|_| KeyError::NotAKey(*algorithm))?;
            check_public(&key, *algorithm)?;
            Ok((key, *algorithm))
        }
        VerificationKey::Published { algorithm, .. } => Err(KeyError::NotAKey(*algorithm)),
    }
}

/// Checks that a public key fits the algorithm and is strong enough. The library checks only when it
/// verifies a token, which would be too late for an error at startup.
pub(super) fn check_public(key: &DecodingKey, algorithm: Algorithm) -> Result<(), KeyError> {
    let not_a_key = || KeyError::NotAKey(algorithm);
    let point_on = |curve: &'static dyn VerificationAlgorithm| {
        let bytes = key.try_get_as_bytes().map_err(|_| not_a_key())?;
        let parsed = ParsedPublicKey::new(curve, bytes);
        parsed.map(|_| ()).map_err(|_| not_a_key())
    };
    match algorithm {
        Algorithm::RS256 => {
            let der = rsa_der(key).ok_or_else(not_a_key)?;
            let bits = PublicEncryptingKey::from_der(&der).map(|key| key.key_size_bits());
            match bits {
                Ok(bits) if bits >= MIN_RSA_BITS => Ok(()),
                _ => Err(KeyError::RsaBits),
            }
        }
        Algorithm::ES256 => point_on(&ECDSA_P256_SHA256_FIXED),
        Algorithm::EdDSA => point_on(&ED25519),
        other => Err(KeyError::Algorithm(other)),
    }
}

/// An RSA key as a SubjectPublicKeyInfo.
fn rsa_der(key: &DecodingKey) -> Option<Vec<u8>> {
    match key.kind() {
        DecodingKeyKind::SecretOrDer(der) => {
            let der = PublicKey::from_der(der).ok()?.as_der().ok()?;
            Some(der.as_ref().to_vec())
        }
        DecodingKeyKind::RsaModulusExponent { n, e } => {
            let components = PublicKeyComponents { n, e };
            let key = components.to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA256);
            Some(key.ok()?.as_ref().to_vec())
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
