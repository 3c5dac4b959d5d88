//! What every answer tells browsers about itself, where it does not say otherwise.

use axum::extract::Request;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY,
    STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue};

use crate::http::Shared;

/// Below this nothing is anybody's secret, and everything changes with a release alone.
const DOCUMENTATION: &str = "/orders-doc/";
/// Of an answer that is no page: nothing in it runs, and nothing frames it.
const INERT: &str = "default-src 'none'; frame-ancestors 'none'";
/// Of the page of the documentation.
const NOT_FRAMED: &str = "frame-ancestors 'none'";
/// A year, of this host alone: what else its domain serves is not known here.
const HTTPS_ONLY: &str = "max-age=31536000";

/// What the answer to a request will tell.
pub struct Guard {
    caching: &'static str,
}

impl Guard {
    /// Of a request.
    pub fn of(request: &Request) -> Self {
        let caching = match request.uri().path().starts_with(DOCUMENTATION) {
            true => "no-cache",
            false => "no-store",
        };
        Self { caching }
    }

    /// Adds it to the headers of the answer.
    pub fn mark(&self, shared: &Shared, headers: &mut HeaderMap) {
        let content_type = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes);
        let is_page = content_type.is_some_and(|value| value.starts_with(b"text/html"));
        let policy = if is_page { NOT_FRAMED } else { INERT };
        add(headers, X_CONTENT_TYPE_OPTIONS, "nosniff");
        add(headers, REFERRER_POLICY, "no-referrer");
        add(headers, CONTENT_SECURITY_POLICY, policy);
        add(headers, CACHE_CONTROL, self.caching);
        let public_url = shared.public_url.as_ref();
        if public_url.is_some_and(|url| url.scheme() == "https") {
            add(headers, STRICT_TRANSPORT_SECURITY, HTTPS_ONLY);
        }
    }
}

fn add(headers: &mut HeaderMap, name: HeaderName, value: &'static str) {
    headers
        .entry(name)
        .or_insert(HeaderValue::from_static(value));
}
