//! Gzip compression of lists, exports, documents, styles and scripts. These responses stay uncompressed:
//!
//! - pages, because they show private data beside text from the query string, and the compressed length
//!   would reveal the data bit by bit (BREACH);
//! - responses with a strong `ETag`, because a compressed representation needs another tag (RFC 9110,
//!   8.8.3); they are short;
//! - event streams, because the compressor would delay events;
//! - short responses, and responses that are compressed already.

use axum::http::header::ETAG;
use axum::http::{Extensions, HeaderMap, StatusCode, Version};
use tower_http::CompressionLevel;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{Predicate, SizeAbove};

use crate::http::media_type::content_type;

/// The size from which compression pays off, in bytes.
const MIN_BYTES: u64 = 1024;

const COMPRESSED: [&str; 7] = [
    "application/json",
    "application/x-ndjson",
    "text/csv",
    "text/plain",
    "text/css",
    "text/javascript",
    "application/javascript",
];

/// The compression middleware.
pub fn compression() -> CompressionLayer<impl Predicate> {
    CompressionLayer::new()
        .quality(CompressionLevel::Fastest)
        .compress_when(SizeAbove::new(MIN_BYTES).and(is_compressible))
}

fn is_compressible(_: StatusCode, _: Version, headers: &HeaderMap, _: &Extensions) -> bool {
    !headers.contains_key(ETAG)
        && content_type(headers).is_some_and(|essence| COMPRESSED.contains(&essence))
}
