//! The session cookie: UserService's access token, stored by the browser.
//!
//! Scripts cannot read the cookie (`HttpOnly`), and other sites cannot make a browser send it
//! (`SameSite=Strict`). The service accepts it for pages and for the reads of their scripts. API requests
//! that change something require a bearer token.

use axum::extract::{MatchedPath, Request};
use axum::http::header::{AUTHORIZATION, COOKIE, SET_COOKIE};
use axum::http::{HeaderMap, HeaderValue, Method};

use crate::clock;

use super::state::HttpState;

/// The name of the cookie.
pub const COOKIE_NAME: &str = "order_session";
/// The name over TLS. Browsers keep other hosts from setting a cookie with this prefix.
const SECURE_COOKIE_NAME: &str = "__Host-order_session";
/// The API route that the script of the order page reads.
const READ_BY_SCRIPT: &str = "/v1/orders/{order_id}/events/";

/// The token of the session cookie.
pub fn token(headers: &HeaderMap) -> Option<&str> {
    let lines = headers.get_all(COOKIE).iter();
    let mut pairs = lines
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='));
    let names = [SECURE_COOKIE_NAME, COOKIE_NAME];
    let token = pairs.find(|(name, _)| names.contains(name));
    token.map(|(_, token)| token)
}

/// The token of the session cookie, if the request is one that the script of a page sends. An
/// `Authorization` header takes precedence over the cookie.
pub fn token_of_script(request: &Request) -> Option<&str> {
    let path = request.extensions().get::<MatchedPath>()?;
    let is_read = request.method() == Method::GET && path.as_str() == READ_BY_SCRIPT;
    let headers = request.headers();
    (is_read && !headers.contains_key(AUTHORIZATION))
        .then(|| token(headers))
        .flatten()
}

/// Whether the request carries a cookie with a valid token.
pub async fn is_signed_in(state: &HttpState, headers: &HeaderMap) -> bool {
    match token(headers) {
        Some(token) => state.verifier.verify(token).await.is_ok(),
        None => false,
    }
}

/// Sets the cookie. `expires_at` is the end of the token's validity, in seconds since 1970.
pub fn begin(state: &HttpState, headers: &mut HeaderMap, token: &str, expires_at: i64) {
    let seconds = expires_at.saturating_sub(clock::now().unix_timestamp());
    set_cookie(state, headers, token, seconds.max(0));
}

/// Deletes the cookie.
pub fn end(state: &HttpState, headers: &mut HeaderMap) {
    set_cookie(state, headers, "", 0);
}

fn set_cookie(state: &HttpState, headers: &mut HeaderMap, token: &str, max_age_s: i64) {
    let (name, secure) = match state.is_https() {
        true => (SECURE_COOKIE_NAME, "; Secure"),
        false => (COOKIE_NAME, ""),
    };
    let cookie =
        format!("{name}={token}; Path=/; Max-Age={max_age_s}; HttpOnly; SameSite=Strict{secure}");
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        headers.append(SET_COOKIE, cookie);
    }
}
