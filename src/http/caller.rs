//! The caller of a request, from its bearer token.

use axum::extract::{FromRequestParts, Request};
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::Response;

use crate::auth::Rejection;
use crate::domain::principal::Principal;

use super::edge::rate;
use super::pages::session;
use super::problem::Problem;

/// An authenticated caller.
#[derive(Clone, Debug)]
pub struct Caller(pub Principal);

/// Until when the caller's token is accepted, in seconds since 1970.
#[derive(Clone, Copy, Debug)]
pub struct AcceptedUntil(pub i64);

/// How the caller is called, for the log.
#[derive(Clone, Debug)]
pub struct Known(pub String);

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parts
            .extensions
            .get::<Self>()
            .cloned()
            .ok_or_else(|| Rejection::Missing.into())
    }
}

/// Lets nobody in without a token; the layer of every route that needs one.
pub async fn require(
    axum::extract::State(shared): axum::extract::State<super::Shared>,
    mut request: Request,
    next: Next,
) -> Response {
    let token = match session::for_reading(&request) {
        Some(token) => Ok(token),
        None => bearer(request.headers()),
    };
    let verified = match token {
        Ok(token) => shared.verifier.verify(token).await,
        Err(rejection) => Err(rejection),
    };
    let access = match verified {
        Ok(access) => access,
        Err(rejection) => {
            let address = shared.client_of(request.extensions(), request.headers());
            return rate::rejected(&shared, address, rejection).await;
        }
    };
    let known = Known(access.principal.actor().as_str().to_owned());
    let extensions = request.extensions_mut();
    extensions.insert(Caller(access.principal.clone()));
    extensions.insert(AcceptedUntil(access.until));
    let mut response = rate::of_principal(&shared, &access.principal, next.run(request)).await;
    response.extensions_mut().insert(known);
    response
}

/// The token of a request's one `Authorization: Bearer` header.
pub fn bearer(headers: &HeaderMap) -> Result<&str, Rejection> {
    let mut headers = headers.get_all(AUTHORIZATION).iter();
    let (Some(value), None) = (headers.next(), headers.next()) else {
        return Err(Rejection::Missing);
    };
    let value = value.to_str().map_err(|_| Rejection::Invalid)?;
    let (scheme, token) = value.split_once(' ').ok_or(Rejection::Missing)?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(Rejection::Missing);
    }
    Ok(token.trim())
}
