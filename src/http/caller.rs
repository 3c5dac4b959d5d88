//! The authenticated caller of an API request, and its bearer token.

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;

use crate::auth::TokenError;
use crate::domain::principal::Principal;

use super::problem::Problem;

/// The authenticated caller. The authentication middleware inserts it into the request's extensions.
#[derive(Clone, Debug)]
pub struct Caller(pub Principal);

/// The end of the token's validity, in seconds since 1970.
#[derive(Clone, Copy, Debug)]
pub struct TokenExpiry(pub i64);

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parts
            .extensions
            .get::<Self>()
            .cloned()
            .ok_or_else(|| TokenError::Missing.into())
    }
}

/// Reads the token of the `Authorization: Bearer` header, which must occur exactly once.
pub fn bearer(headers: &HeaderMap) -> Result<&str, TokenError> {
    let mut headers = headers.get_all(AUTHORIZATION).iter();
    let (Some(value), None) = (headers.next(), headers.next()) else {
        return Err(TokenError::Missing);
    };
    let value = value.to_str().map_err(|_| TokenError::Invalid)?;
    let (scheme, token) = value.split_once(' ').ok_or(TokenError::Missing)?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(TokenError::Missing);
    }
    Ok(token.trim())
}
