//! The `Idempotency-Key` header, by which a client repeats a request safely.

use axum::http::{HeaderMap, HeaderValue};

use crate::auth::sha256;
use crate::orders::ClientKey;

use super::body::Violations;
use super::headers::{IDEMPOTENCY_KEY, IDEMPOTENT_REPLAYED};

/// The maximum length of a key, in characters.
pub const MAX_KEY_CHARS: usize = 255;

/// Reads the idempotency key of a request; `None` if it is absent or malformed. The key keeps a fingerprint
/// of `content`, so that a use with another request is detected.
pub fn key(headers: &HeaderMap, content: &[u8], violations: &mut Violations) -> Option<ClientKey> {
    let mut values = headers.get_all(&IDEMPOTENCY_KEY).iter();
    let value = values.next()?;
    let key = value.to_str().unwrap_or_default();
    let visible = key.bytes().all(|byte| byte.is_ascii_graphic());
    if values.next().is_some() || !visible || !(1..=MAX_KEY_CHARS).contains(&key.len()) {
        let detail =
            format!("must be given once, with 1 to {MAX_KEY_CHARS} visible ASCII characters");
        violations.add_header("Idempotency-Key", "malformed", detail);
        return None;
    }
    Some(ClientKey {
        key: key.to_owned(),
        fingerprint: sha256(content),
    })
}

/// Marks a response as a replay of an earlier one.
pub fn mark_replayed(headers: &mut HeaderMap) {
    headers.insert(IDEMPOTENT_REPLAYED, HeaderValue::from_static("true"));
}
