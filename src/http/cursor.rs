//! Keyset cursors: the signed positions of keyset pagination in one list.
//!
//! A cursor contains the sort key of an order and a message authentication code (HMAC) of this key and the
//! whole search: owner, filters and sorting. Clients cannot forge a cursor or use it with another list. A
//! cursor grants no access: every request checks what the caller may see.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rust_decimal::Decimal;
use secrecy::{ExposeSecret as _, SecretString};
use time::OffsetDateTime;

use crate::domain::search::{MatchRank, OrderListQuery, PagePosition, SortBy, SortKey, SortValue};
use crate::domain::status::Status;

/// The length of the HMAC, in bytes.
const CODE_BYTES: usize = 32;

/// Signs and verifies keyset cursors.
pub struct Cursors {
    key: hmac::Key,
}

impl Cursors {
    /// Derives the signing key from a secret that all replicas share.
    pub fn new(secret: &SecretString) -> Self {
        Self {
            key: derive_key(secret, "order-service cursor 1"),
        }
    }

    /// The cursor of a position in the list that `search` describes.
    pub fn write(&self, search: &OrderListQuery, place: PagePosition) -> Option<String> {
        let (direction, key) = match place {
            PagePosition::After(key) => ('a', key),
            PagePosition::Before(key) => ('b', key),
            PagePosition::First | PagePosition::Page(_) => return None,
        };
        let value = match key.value {
            SortValue::CreatedAt(moment) => (moment.unix_timestamp_nanos() / 1_000).to_string(),
            SortValue::Total(amount) => amount.to_string(),
            SortValue::OrderId => String::new(),
            SortValue::Relevance(rank) => (rank as u8).to_string(),
        };
        let place = format!("{direction}{}/{value}", key.order_id);
        let code = hmac::sign(&self.key, &signed_message(search, place.as_bytes()));
        let cursor = [code.as_ref(), place.as_bytes()].concat();
        Some(URL_SAFE_NO_PAD.encode(cursor))
    }

    /// The position of a cursor; `None` unless the cursor was signed for this search.
    pub fn read(&self, search: &OrderListQuery, cursor: &str) -> Option<PagePosition> {
        let cursor = URL_SAFE_NO_PAD.decode(cursor).ok()?;
        let (code, place) = cursor.split_at_checked(CODE_BYTES)?;
        hmac::verify(&self.key, &signed_message(search, place), code).ok()?;
        let place = std::str::from_utf8(place).ok()?;
        let (order_id, value) = place.get(1..)?.split_once('/')?;
        let value = match search.sort_by {
            SortBy::CreatedAt => SortValue::CreatedAt(moment(value)?),
            SortBy::Total => SortValue::Total(value.parse::<Decimal>().ok()?),
            SortBy::OrderId => SortValue::OrderId,
            SortBy::Relevance => SortValue::Relevance(rank(value)?),
        };
        let order_id = order_id.parse().ok()?;
        let key = SortKey { value, order_id };
        match place.chars().next()? {
            'a' => Some(PagePosition::After(key)),
            'b' => Some(PagePosition::Before(key)),
            _ => None,
        }
    }
}

/// Derives a key for one purpose, so that other uses of the secret produce other codes.
fn derive_key(secret: &SecretString, purpose: &str) -> hmac::Key {
    let secret = hmac::Key::new(hmac::HMAC_SHA256, secret.expose_secret().as_bytes());
    let derived = hmac::sign(&secret, purpose.as_bytes());
    hmac::Key::new(hmac::HMAC_SHA256, derived.as_ref())
}

fn moment(micros: &str) -> Option<OffsetDateTime> {
    let nanos = micros.parse::<i128>().ok()?.checked_mul(1_000)?;
    OffsetDateTime::from_unix_timestamp_nanos(nanos).ok()
}

fn rank(number: &str) -> Option<MatchRank> {
    MatchRank::ALL
        .into_iter()
        .find(|rank| (*rank as u8).to_string() == number)
}

/// The message that the HMAC signs: the position and the search, in an unambiguous encoding.
fn signed_message(search: &OrderListQuery, place: &[u8]) -> Vec<u8> {
    let filter = &search.filter;
    let message = serde_json::json!([
        String::from_utf8_lossy(place),
        search.sort_by as u8,
        search.sort_dir as u8,
        filter.customer_id.map(|customer_id| customer_id.0),
        names(&filter.order_statuses),
        names(&filter.payment_statuses),
        names(&filter.shipping_statuses),
        filter.search,
        filter.sku,
        filter
            .created_from
            .map(|at| at.unix_timestamp_nanos().to_string()),
        filter
            .created_to
            .map(|at| at.unix_timestamp_nanos().to_string()),
        filter.min_total.map(|total| total.normalize().to_string()),
        filter.max_total.map(|total| total.normalize().to_string()),
        filter.currency.map(|currency| currency.code()),
        filter.needs_attention,
        filter.open,
    ]);
    message.to_string().into_bytes()
}

fn names<S: Status>(statuses: &[S]) -> Vec<&'static str> {
    statuses.iter().map(|status| status.as_str()).collect()
}
