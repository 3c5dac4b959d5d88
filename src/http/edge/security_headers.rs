//! Security headers and the default cache policy of every response. A header that a handler has set stays.

use axum::extract::Request;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY,
    STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue};

/// The API documentation. It is public and changes only with a release.
const DOCUMENTATION: &str = "/orders-doc/";
/// Content security policy of responses other than HTML: nothing runs and nothing may frame them.
const INERT: &str = "default-src 'none'; frame-ancestors 'none'";
/// Content security policy of HTML that sets none of its own, which is the API documentation.
const NOT_FRAMED: &str = "frame-ancestors 'none'";
/// One year, for this host only: subdomains may belong to other services.
const HTTPS_ONLY: &str = "max-age=31536000";

/// The headers that a response gets.
pub struct SecurityHeaders {
    caching: &'static str,
    is_https: bool,
}

impl SecurityHeaders {
    /// Chooses the headers for a request. `is_https` adds HSTS.
    pub fn for_request(request: &Request, is_https: bool) -> Self {
        let caching = match request.uri().path().starts_with(DOCUMENTATION) {
            true => "no-cache",
            false => "no-store",
        };
        Self { caching, is_https }
    }

    /// Adds the headers that the response lacks.
    pub fn add_to(&self, headers: &mut HeaderMap) {
        let content_type = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes);
        let is_page = content_type.is_some_and(|value| value.starts_with(b"text/html"));
        let policy = if is_page { NOT_FRAMED } else { INERT };
        add(headers, X_CONTENT_TYPE_OPTIONS, "nosniff");
        add(headers, REFERRER_POLICY, "no-referrer");
        add(headers, CONTENT_SECURITY_POLICY, policy);
        add(headers, CACHE_CONTROL, self.caching);
        if self.is_https {
            add(headers, STRICT_TRANSPORT_SECURITY, HTTPS_ONLY);
        }
    }
}

fn add(headers: &mut HeaderMap, name: HeaderName, value: &'static str) {
    headers
        .entry(name)
        .or_insert(HeaderValue::from_static(value));
}
