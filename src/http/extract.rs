//! Extractors of handlers. Each reports invalid input as a problem.

use std::convert::Infallible;
use std::net::IpAddr;

use axum::extract::{FromRequest, FromRequestParts, RawPathParams, Request};
use axum::http::request::Parts;
use bytes::Bytes;
use serde_json::Value;

use crate::domain::ids::{CustomerId, OrderId};
use crate::json;

use super::media_type::content_type;
use super::problem::{Problem, ProblemKind, Violation};
use super::state::HttpState;

/// A JSON body.
#[derive(Debug)]
pub struct JsonBody(pub Value);

impl<S: Send + Sync> FromRequest<S> for JsonBody {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        if !is_json(&request) {
            return Err(Problem::new(
                ProblemKind::UnsupportedMediaType,
                "send the body as JSON, with 'Content-Type: application/json'",
            ));
        }
        let bytes = Bytes::from_request(request, state).await.map_err(|_| {
            let detail = "the body could not be read to its end";
            Problem::new(ProblemKind::MalformedBody, detail)
        })?;
        let value = json::read_unambiguous(&bytes).map_err(|error| {
            let what = if error.is_data() {
                "cannot be taken"
            } else {
                "is not JSON"
            };
            let detail = format!("the body {what}: {error}");
            Problem::new(ProblemKind::MalformedBody, detail)
        })?;
        Ok(Self(value))
    }
}

fn is_json(request: &Request) -> bool {
    content_type(request.headers()).is_some_and(|essence| {
        let essence = essence.to_ascii_lowercase();
        essence == "application/json"
            || essence.starts_with("application/") && essence.ends_with("+json")
    })
}

/// The order id of a path.
#[derive(Clone, Copy, Debug)]
pub struct PathOrder(pub OrderId);

impl<S: Send + Sync> FromRequestParts<S> for PathOrder {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        Ok(Self(OrderId(path_id(parts, state, "order_id").await?)))
    }
}

/// The customer id of a path.
#[derive(Clone, Copy, Debug)]
pub struct PathCustomer(pub CustomerId);

impl<S: Send + Sync> FromRequestParts<S> for PathCustomer {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let id = path_id(parts, state, "customer_id").await?;
        Ok(Self(CustomerId(id)))
    }
}

async fn path_id<S: Send + Sync>(
    parts: &mut Parts,
    state: &S,
    name: &'static str,
) -> Result<i64, Problem> {
    let invalid = || {
        Problem::invalid(vec![Violation {
            location: "path",
            pointer: format!("/{name}"),
            code: "not_a_number",
            detail: format!("must be a whole number from 1 to {}", i64::MAX),
        }])
    };
    let params = RawPathParams::from_request_parts(parts, state)
        .await
        .map_err(|_| invalid())?;
    let value = params
        .iter()
        .find(|(found, _)| *found == name)
        .map(|(_, value)| value);
    value
        .filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))
        .and_then(|text| text.parse::<i64>().ok())
        .filter(|&id| id > 0)
        .ok_or_else(invalid)
}

/// The address of the client.
#[derive(Clone, Copy, Debug)]
pub struct ClientAddress(pub IpAddr);

impl FromRequestParts<HttpState> for ClientAddress {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &HttpState) -> Result<Self, Infallible> {
        let address = state.client_address(&parts.extensions, &parts.headers);
        Ok(Self(address))
    }
}
