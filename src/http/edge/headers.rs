//! What every answer tells browsers about itself, where it does not say otherwise.

use axum::extract::{Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY,
    STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;

use crate::http::Shared;

/// Below this nothing is anybody's secret, and everything changes with a release alone.
const DOCUMENTATION: &str = "/orders-doc/";
/// Of an answer that is no page: nothing in it runs, and nothing frames it.
const INERT: &str = "default-src 'none'; frame-ancestors 'none'";
/// Of the page of the documentation.
const NOT_FRAMED: &str = "frame-ancestors 'none'";
/// A year, of this host alone: what else its domain serves is not known here.
const HTTPS_ONLY: &str = "max-age=31536000";

/// Adds the headers. A layer of every route.
pub async fn guard(State(shared): State<Shared>, request: Request, next: Next) -> Response {
    let is_documentation = request.uri().path().starts_with(DOCUMENTATION);
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    let content_type = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes);
    let is_page = content_type.is_some_and(|value| value.starts_with(b"text/html"));
    let policy = if is_page { NOT_FRAMED } else { INERT };
    let caching = if is_documentation {
        "no-cache"
    } else {
        "no-store"
    };
    add(headers, X_CONTENT_TYPE_OPTIONS, "nosniff");
    add(headers, REFERRER_POLICY, "no-referrer");
    add(headers, CONTENT_SECURITY_POLICY, policy);
    add(headers, CACHE_CONTROL, caching);
    let public_url = shared.public_url.as_ref();
    if public_url.is_some_and(|url| url.scheme() == "https") {
        add(headers, STRICT_TRANSPORT_SECURITY, HTTPS_ONLY);
    }
    response
}

fn add(headers: &mut HeaderMap, name: HeaderName, value: &'static str) {
    headers
        .entry(name)
        .or_insert(HeaderValue::from_static(value));
}
