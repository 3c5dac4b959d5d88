//! Which answers are compressed: lists, exports, documents, style and scripts, for who takes gzip. Not
//!
//! - pages: they have the proof of their forms beside words that a link can put there, so that their
//!   compressed length would tell it bit by bit (BREACH);
//! - what has a strong `ETag`, which would have to be another one (RFC 9110, 8.8.3); it is short;
//! - streams of events, which would wait for more to compress;
//! - what is short already, or comes compressed.

use axum::http::header::{CONTENT_TYPE, ETAG};
use axum::http::{Extensions, HeaderMap, StatusCode, Version};
use tower_http::CompressionLevel;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{Predicate, SizeAbove};

/// Below this, in bytes, nothing is gained.
const SHORT: u64 = 1024;

const COMPRESSED: [&str; 7] = [
    "application/json",
    "application/x-ndjson",
    "text/csv",
    "text/plain",
    "text/css",
    "text/javascript",
    "application/javascript",
];

/// The layer.
pub fn compression() -> CompressionLayer<impl Predicate> {
    CompressionLayer::new()
        .quality(CompressionLevel::Fastest)
        .compress_when(SizeAbove::new(SHORT).and(is_worth_it))
}

fn is_worth_it(_: StatusCode, _: Version, headers: &HeaderMap, _: &Extensions) -> bool {
    let content_type = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let essence = content_type.and_then(|value| value.split(';').next());
    !headers.contains_key(ETAG)
        && essence.is_some_and(|essence| COMPRESSED.contains(&essence.trim()))
}
