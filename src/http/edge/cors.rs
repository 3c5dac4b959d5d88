//! Which scripts of other sites may read answers (CORS): none, unless `CORS_ORIGINS` names their sites.
//! They bring a token in the header; a browser's cookies never count for them.

use std::time::Duration;

use axum::http::header::{
    AUTHORIZATION, CONTENT_DISPOSITION, CONTENT_TYPE, ETAG, IF_MATCH, IF_NONE_MATCH, LOCATION,
    RETRY_AFTER,
};
use axum::http::{HeaderName, HeaderValue, Method};
use tower_http::cors::{AllowOrigin, CorsLayer};

use crate::http::access_log::X_REQUEST_ID;
use crate::http::idempotency::{IDEMPOTENCY_KEY, IDEMPOTENT_REPLAYED};

use super::rate::{RATE_LIMIT, RATE_LIMIT_POLICY};

/// For how long a browser need not ask again.
const KNOWN_FOR: Duration = Duration::from_secs(3600);
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// The layer; none where no site is named.
pub fn cors(origins: &[String]) -> Option<CorsLayer> {
    if origins.is_empty() {
        return None;
    }
    let origins = origins
        .iter()
        .filter_map(|origin| HeaderValue::from_str(origin).ok());
    let layer = CorsLayer::new()
        .allow_origin(AllowOrigin::list(origins))
        .allow_methods([Method::GET, Method::HEAD, Method::POST, Method::PATCH])
        .allow_headers([
            AUTHORIZATION,
            CONTENT_TYPE,
            IDEMPOTENCY_KEY,
            IF_MATCH,
            IF_NONE_MATCH,
            LAST_EVENT_ID,
            X_REQUEST_ID,
        ])
        .expose_headers([
            CONTENT_DISPOSITION,
            ETAG,
            IDEMPOTENT_REPLAYED,
            LOCATION,
            RATE_LIMIT,
            RATE_LIMIT_POLICY,
            RETRY_AFTER,
            X_REQUEST_ID,
        ])
        .max_age(KNOWN_FOR);
    Some(layer)
}
