//! The rate limit middleware. It limits authenticated callers by their token's principal, and other
//! requests by client address.

use std::hash::Hash;
use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use crate::auth::TokenError;
use crate::domain::principal::{Principal, Role};
use crate::http::problem::{Problem, ProblemKind};

use super::Edge;
use super::client;
use super::rate_limiter::{KeyedLimiter, RateLimitState};

const TOO_MANY_REQUESTS: &str = "rate limit exceeded; see the RateLimit header";
const TOO_MANY_SIGN_INS: &str = "there were too many attempts to sign in; please wait a minute";

/// Applies the rate limit of an authenticated caller to `answer`.
pub async fn by_principal(
    edge: &Edge,
    principal: &Principal,
    answer: impl Future<Output = Response>,
) -> Response {
    let limiter = match principal.role {
        Role::Customer => &edge.rates.customers,
        Role::Staff | Role::Service => &edge.rates.staff,
    };
    let caller = (
        principal.role.as_str(),
        principal.actor().as_str().to_owned(),
    );
    limited(edge, limiter.as_ref(), caller, answer).await
}

/// The rate limit middleware of routes without authentication.
pub async fn by_address(State(edge): State<Arc<Edge>>, request: Request, next: Next) -> Response {
    let address = edge.client_address(request.extensions(), request.headers());
    for_address(&edge, address, next.run(request)).await
}

/// The response to a request without a valid token. It counts against the address, unless the service
/// has no keys to verify any token with.
pub async fn unauthenticated(edge: &Edge, address: IpAddr, rejection: TokenError) -> Response {
    let response = Problem::from(rejection).into_response();
    match rejection {
        TokenError::NoKeys => response,
        _ => for_address(edge, address, async { response }).await,
    }
}

/// Counts an attempt to sign in, by address and by user name.
///
/// # Errors
/// The response to an attempt beyond the limit.
pub fn sign_in(edge: &Edge, address: IpAddr, username: &str) -> Result<(), Box<Response>> {
    let network = client::network(address);
    let username = username.trim().to_lowercase();
    let by_address = edge.rates.sign_ins_by_address.as_ref();
    let by_name = edge.rates.sign_ins_by_name.as_ref();
    let buckets = [
        by_address.map(|limiter| limiter.check(network)),
        by_name.map(|limiter| limiter.check((network, username))),
    ];
    for checked in buckets.into_iter().flatten() {
        checked.map_err(|bucket| Box::new(too_many(edge, &bucket, TOO_MANY_SIGN_INS)))?;
    }
    Ok(())
}

async fn for_address(
    edge: &Edge,
    address: IpAddr,
    answer: impl Future<Output = Response>,
) -> Response {
    let limiter = edge.rates.customers.as_ref();
    limited(edge, limiter, client::network(address), answer).await
}

async fn limited(
    edge: &Edge,
    limiter: Option<&KeyedLimiter>,
    caller: impl Hash,
    answer: impl Future<Output = Response>,
) -> Response {
    let Some(limiter) = limiter else {
        return answer.await;
    };
    match limiter.check(caller) {
        Ok(bucket) => {
            let mut response = answer.await;
            bucket.add_to(response.headers_mut());
            response
        }
        Err(bucket) => too_many(edge, &bucket, TOO_MANY_REQUESTS),
    }
}

fn too_many(edge: &Edge, bucket: &RateLimitState, detail: &'static str) -> Response {
    let wait_s = u32::try_from(bucket.wait_s).unwrap_or(u32::MAX);
    let problem = edge.reject(ProblemKind::RateLimited, detail);
    let mut response = problem.retry_after(wait_s).into_response();
    bucket.add_to(response.headers_mut());
    response
}
