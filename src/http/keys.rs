//! Keys for what the service signs for itself, derived from one secret that all replicas share.

use aws_lc_rs::hmac;
use secrecy::{ExposeSecret as _, SecretString};

/// A key for one purpose, so that no other use of the secret gives the same codes.
pub fn derive(secret: &SecretString, purpose: &str) -> hmac::Key {
    let secret = hmac::Key::new(hmac::HMAC_SHA256, secret.expose_secret().as_bytes());
    let derived = hmac::sign(&secret, purpose.as_bytes());
    hmac::Key::new(hmac::HMAC_SHA256, derived.as_ref())
}
