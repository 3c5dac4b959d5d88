//! A JSON Web Key Set (RFC 7517). Only the keys that fit the pinned algorithm are kept.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use jsonwebtoken::jwk::{
    AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, KeyOperations, PublicKeyUse,
};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use serde_json::Value;

use crate::json;

use super::verification_key::check_public;

/// Why a document is not a usable key set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JwkSetError {
    /// Not a JSON Web Key Set.
    #[error("answered a document that is not a JSON Web Key Set")]
    Malformed,
    /// No key fits the algorithm.
    #[error("published {0} keys, of which none can verify {1:?}")]
    NoneFits(usize, Algorithm),
}

/// Published keys by key id.
#[derive(Default)]
pub struct JwkSet {
    /// `None` marks an ambiguous key id, which several keys have.
    named: HashMap<String, Option<Arc<DecodingKey>>>,
    nameless: Vec<Arc<DecodingKey>>,
    ignored: usize,
}

#[derive(Deserialize)]
struct JwksDocument {
    keys: Vec<Value>,
}

impl JwkSet {
    /// Parses a document and keeps the keys for an algorithm. A document without such keys is an error: the
    /// issuer is more likely broken than withdrawing all keys.
    pub fn read(document: &[u8], algorithm: Algorithm) -> Result<Self, JwkSetError> {
        let document: JwksDocument = json::read(document).map_err(|_| JwkSetError::Malformed)?;
        let published = document.keys.len();
        let mut set = Self::default();
        for jwk in document.keys {
            let Some((name, key)) = read_key(jwk, algorithm) else {
                continue;
            };
            let key = Arc::new(key);
            match name {
                None => set.nameless.push(key),
                Some(name) => match set.named.entry(name) {
                    Entry::Vacant(free) => drop(free.insert(Some(key))),
                    Entry::Occupied(mut taken) => drop(taken.insert(None)),
                },
            }
        }
        if set.len() == 0 {
            return Err(JwkSetError::NoneFits(published, algorithm));
        }
        set.ignored = published - set.len();
        Ok(set)
    }

    /// The key with that id. Without an id, the only key, if there is exactly one.
    pub(super) fn find(&self, name: Option<&str>) -> Option<Arc<DecodingKey>> {
        match name {
            Some(name) => self.named.get(name)?.clone(),
            None if self.len() == 1 => self.keys().next().cloned(),
            None => None,
        }
    }

    /// The number of usable keys.
    pub(super) fn len(&self) -> usize {
        self.keys().count()
    }

    /// The number of published keys that do not fit.
    pub(super) fn ignored(&self) -> usize {
        self.ignored
    }

    /// Whether another set has the same key ids.
    pub(super) fn has_names_of(&self, other: &Self) -> bool {
        let names = |set: &Self| -> Vec<String> {
            let mut names: Vec<_> = set.named.keys().cloned().collect();
            names.sort_unstable();
            names
        };
        self.len() == other.len() && names(self) == names(other)
    }

    fn keys(&self) -> impl Iterator<Item = &Arc<DecodingKey>> {
        self.named.values().flatten().chain(&self.nameless)
    }
}

/// A key and its id, if it is public, meant for signatures, and fits the algorithm.
fn read_key(jwk: Value, algorithm: Algorithm) -> Option<(Option<String>, DecodingKey)> {
    // A published private key is compromised.
    if jwk.get("d").is_some() {
        return None;
    }
    let jwk: Jwk = serde_json::from_value(jwk).ok()?;
    let common = &jwk.common;
    let is_for_signatures = match &common.public_key_use {
        None => true,
        Some(meant) => *meant == PublicKeyUse::Signature,
    };
    let verifies = common
        .key_operations
        .as_ref()
        .is_none_or(|operations| operations.contains(&KeyOperations::Verify));
    let is_of_algorithm = common
        .key_algorithm
        .is_none_or(|named| named == KeyAlgorithm::from(algorithm));
    let is_of_kind = match (algorithm, &jwk.algorithm) {
        (Algorithm::RS256, AlgorithmParameters::RSA(_)) => true,
        (Algorithm::ES256, AlgorithmParameters::EllipticCurve(key)) => {
            key.curve == EllipticCurve::P256
        }
        (Algorithm::EdDSA, AlgorithmParameters::OctetKeyPair(key)) => {
            key.curve == EllipticCurve::Ed25519
        }
        _ => false,
    };
    if !(is_for_signatures && verifies && is_of_algorithm && is_of_kind) {
        return None;
    }
    let key = DecodingKey::from_jwk(&jwk).ok()?;
    check_public(&key, algorithm).ok()?;
    Some((jwk.common.key_id, key))
}
