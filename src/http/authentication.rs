//! The authentication middleware of the API.

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;

use super::caller::{Caller, TokenExpiry, bearer};
use super::edge::rate_limit;
use super::log_fields::LoggedCaller;
use super::session;
use super::state::HttpState;

/// Rejects requests without a valid token, and applies the caller's rate limit to the others.
///
/// The token comes from the `Authorization` header. The session cookie replaces it only for the requests
/// that the script of a page sends.
pub async fn require_token(
    State(state): State<HttpState>,
    mut request: Request,
    next: Next,
) -> Response {
    let token = match session::token_of_script(&request) {
        Some(token) => Ok(token),
        None => bearer(request.headers()),
    };
    let verified = match token {
        Ok(token) => state.verifier.verify(token).await,
        Err(rejection) => Err(rejection),
    };
    let access = match verified {
        Ok(access) => access,
        Err(rejection) => {
            let address = state.client_address(request.extensions(), request.headers());
            return rate_limit::unauthenticated(&state.edge, address, rejection).await;
        }
    };
    let logged = LoggedCaller(access.principal.actor().as_str().to_owned());
    let extensions = request.extensions_mut();
    extensions.insert(Caller(access.principal.clone()));
    extensions.insert(TokenExpiry(access.until));
    let answer = next.run(request);
    let mut response = rate_limit::by_principal(&state.edge, &access.principal, answer).await;
    response.extensions_mut().insert(logged);
    response
}
