//! Idempotency keys: a repeated request gets the result of the first one.

use crate::db::idempotency::{IdempotencyKey, KeyUse};
use crate::domain::ids::OrderId;
use crate::domain::principal::Principal;

use super::Error;

/// The idempotency key of a request.
#[derive(Clone, Debug)]
pub struct ClientKey {
    /// The caller's text, 1 to 255 visible characters.
    pub key: String,
    /// SHA-256 of the request.
    pub fingerprint: Vec<u8>,
}

impl ClientKey {
    /// The key in its scope: the caller and the operation.
    pub(super) fn scoped(self, caller: &Principal, operation: &'static str) -> IdempotencyKey {
        IdempotencyKey {
            scope: caller.actor().as_str().to_owned(),
            operation,
            key: self.key,
            fingerprint: self.fingerprint,
        }
    }
}

/// The order that a replayed request resulted in; `None` for the first request with this key.
///
/// # Errors
/// [`Error::KeyReused`] when the key was used for a different request.
pub(super) fn replayed(
    key: &IdempotencyKey,
    earlier: Option<KeyUse>,
) -> Result<Option<OrderId>, Error> {
    match earlier {
        Some(earlier) if earlier.fingerprint != key.fingerprint => Err(Error::KeyReused),
        earlier => Ok(earlier.map(|earlier| earlier.order_id)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replay_of(fingerprint: Option<u8>) -> Result<Option<OrderId>, Error> {
        let key = IdempotencyKey {
            scope: "customer:1".to_owned(),
            operation: "create",
            key: "key".to_owned(),
            fingerprint: vec![1],
        };
        let earlier = fingerprint.map(|fingerprint| KeyUse {
            fingerprint: vec![fingerprint],
            order_id: OrderId(7),
        });
        replayed(&key, earlier)
    }

    #[test]
    fn a_new_key_is_no_replay() {
        assert_eq!(replay_of(None).unwrap(), None);
    }

    #[test]
    fn the_same_request_is_replayed() {
        assert_eq!(replay_of(Some(1)).unwrap(), Some(OrderId(7)));
    }

    #[test]
    fn a_key_of_another_request_is_refused() {
        assert!(matches!(replay_of(Some(2)), Err(Error::KeyReused)));
    }
}
