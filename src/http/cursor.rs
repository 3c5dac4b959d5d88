//! Cursors: where a list goes on, as a text that only this service makes and that fits only the list
//! it was made for.
//!
//! A cursor is a place and a message authentication code over this place and the whole question:
//! whose orders, which filters, how sorted. So none can be altered, or taken to another list. It
//! grants nothing: what a caller may see is asked anew each time.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rust_decimal::Decimal;
use secrecy::SecretString;
use time::OffsetDateTime;

use crate::domain::search::{MatchRank, OrderListQuery, PagePosition, SortBy, SortKey, SortValue};
use crate::domain::status::Status;

use super::keys;

/// The length of a code, in bytes.
const CODE_BYTES: usize = 32;

/// Makes and reads cursors.
pub struct Cursors {
    key: hmac::Key,
}

impl Cursors {
    /// By a secret that all replicas share.
    pub fn new(secret: &SecretString) -> Self {
        Self {
            key: keys::derive(secret, "order-service cursor 1"),
        }
    }

    /// The cursor of a place in the list that answers `search`.
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
        let code = hmac::sign(&self.key, &bound(search, place.as_bytes()));
        let cursor = [code.as_ref(), place.as_bytes()].concat();
        Some(URL_SAFE_NO_PAD.encode(cursor))
    }

    /// The place of a cursor of this list; `None` for any other text.
    pub fn read(&self, search: &OrderListQuery, cursor: &str) -> Option<PagePosition> {
        let cursor = URL_SAFE_NO_PAD.decode(cursor).ok()?;
        let (code, place) = cursor.split_at_checked(CODE_BYTES)?;
        hmac::verify(&self.key, &bound(search, place), code).ok()?;
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

fn moment(micros: &str) -> Option<OffsetDateTime> {
    let nanos = micros.parse::<i128>().ok()?.checked_mul(1_000)?;
    OffsetDateTime::from_unix_timestamp_nanos(nanos).ok()
}

fn rank(number: &str) -> Option<MatchRank> {
    MatchRank::ALL
        .into_iter()
        .find(|rank| (*rank as u8).to_string() == number)
}

/// The place and the question that it belongs to, in one unambiguous text.
fn bound(search: &OrderListQuery, place: &[u8]) -> Vec<u8> {
    let filter = &search.filter;
    let question = serde_json::json!([
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
    question.to_string().into_bytes()
}

fn names<S: Status>(statuses: &[S]) -> Vec<&'static str> {
    statuses.iter().map(|status| status.as_str()).collect()
}
