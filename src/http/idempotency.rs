//! The headers that make a request repeatable.

use axum::http::{HeaderMap, HeaderName, HeaderValue};

use crate::auth::sha256;
use crate::orders::ClientKey;

use super::body::Faults;

/// The client's own name for what it asks.
pub const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// Tells that it was asked before.
pub const IDEMPOTENT_REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// The key of a request for `what`, if it has one; nothing when there is a fault in it.
pub fn key(headers: &HeaderMap, what: &[u8], faults: &mut Faults) -> Option<ClientKey> {
    let mut values = headers.get_all(&IDEMPOTENCY_KEY).iter();
    let value = values.next()?;
    let key = value.to_str().unwrap_or_default();
    let visible = key.bytes().all(|byte| byte.is_ascii_graphic());
    if values.next().is_some() || !visible || !(1..=255).contains(&key.len()) {
        let detail = "must be given once, with 1 to 255 visible ASCII characters";
        faults.add_header("Idempotency-Key", "malformed", detail);
        return None;
    }
    Some(ClientKey {
        key: key.to_owned(),
        fingerprint: sha256(what),
    })
}

/// Says that the answer is one that was given before.
pub fn mark_replayed(headers: &mut HeaderMap) {
    headers.insert(IDEMPOTENT_REPLAYED, HeaderValue::from_static("true"));
}
