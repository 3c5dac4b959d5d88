//! What handlers take from a request, each with problems of our own shape when it is not there.

use axum::body::{Body, HttpBody as _, to_bytes};
use axum::extract::{FromRequest, FromRequestParts, RawPathParams, Request};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::request::Parts;
use bytes::Bytes;
use serde_json::Value;
use tokio::time::timeout;

use crate::domain::ids::{CustomerId, OrderId};
use crate::json;

use super::Shared;
use super::problem::{Fault, Kind, Problem};

/// How large a body may be, in bytes; a hundred lines take a tenth of it.
pub const MAX_BODY_BYTES: usize = 128 * 1024;

/// A JSON body.
#[derive(Debug)]
pub struct JsonBody(pub Value);

impl<S: Send + Sync> FromRequest<S> for JsonBody {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        if !is_json(&request) {
            return Err(Problem::new(
                Kind::UnsupportedMediaType,
                "send the body as JSON, with 'Content-Type: application/json'",
            ));
        }
        let bytes = Bytes::from_request(request, state).await.map_err(|_| {
            Problem::new(Kind::MalformedBody, "the body could not be read to its end")
        })?;
        let value = json::read_unambiguous(&bytes).map_err(|error| {
            let fault = if error.is_data() {
                "cannot be taken"
            } else {
                "is not JSON"
            };
            Problem::new(Kind::MalformedBody, format!("the body {fault}: {error}"))
        })?;
        Ok(Self(value))
    }
}

fn is_json(request: &Request) -> bool {
    let Some(value) = request
        .headers()
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
    else {
        return false;
    };
    let essence = value
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    essence == "application/json"
        || essence.starts_with("application/") && essence.ends_with("+json")
}

/// Reads the body of a request up to a limit of size and time, before anything looks at it. Whoever sends
/// a byte now and then holds nothing for long.
pub async fn read_body(shared: &Shared, request: Request) -> Result<Request, Problem> {
    if request.body().is_end_stream() {
        return Ok(request);
    }
    let announced = request
        .headers()
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok())
        .and_then(|length| length.parse::<u64>().ok());
    if announced.is_some_and(|length| length > MAX_BODY_BYTES as u64) {
        return Err(too_large());
    }
    let (parts, body) = request.into_parts();
    let patience = shared.edge.limits().body_timeout;
    let bytes = match timeout(patience, to_bytes(body, MAX_BODY_BYTES)).await {
        Ok(Ok(bytes)) => bytes,
        Err(_) => {
            let kind = Kind::BodyTooSlow;
            shared.metrics.request_refused(kind.code());
            let detail = format!("the body must be here within {} ms", patience.as_millis());
            return Err(Problem::new(kind, detail));
        }
        Ok(Err(error)) if is_length_limit(&error) => return Err(too_large()),
        Ok(Err(_)) => {
            return Err(Problem::new(
                Kind::MalformedBody,
                "the body could not be read to its end",
            ));
        }
    };
    Ok(Request::from_parts(parts, Body::from(bytes)))
}

fn is_length_limit(error: &axum::Error) -> bool {
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        if error.is::<http_body_util::LengthLimitError>() {
            return true;
        }
        source = error.source();
    }
    false
}

fn too_large() -> Problem {
    Problem::new(
        Kind::BodyTooLarge,
        format!("the body may have at most {MAX_BODY_BYTES} bytes"),
    )
}

/// The order's number in a path.
#[derive(Clone, Copy, Debug)]
pub struct PathOrder(pub OrderId);

impl<S: Send + Sync> FromRequestParts<S> for PathOrder {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        Ok(Self(OrderId(path_number(parts, state, "order_id").await?)))
    }
}

/// The customer's number in a path.
#[derive(Clone, Copy, Debug)]
pub struct PathCustomer(pub CustomerId);

impl<S: Send + Sync> FromRequestParts<S> for PathCustomer {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        Ok(Self(CustomerId(
            path_number(parts, state, "customer_id").await?,
        )))
    }
}

async fn path_number<S: Send + Sync>(
    parts: &mut Parts,
    state: &S,
    name: &'static str,
) -> Result<i64, Problem> {
    let fault = || {
        Problem::invalid(vec![Fault {
            location: "path",
            pointer: format!("/{name}"),
            code: "not_a_number",
            detail: format!("must be a whole number from 1 to {}", i64::MAX),
        }])
    };
    let params = RawPathParams::from_request_parts(parts, state)
        .await
        .map_err(|_| fault())?;
    let value = params
        .iter()
        .find(|(found, _)| *found == name)
        .map(|(_, value)| value);
    value
        .filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))
        .and_then(|text| text.parse::<i64>().ok())
        .filter(|&number| number > 0)
        .ok_or_else(fault)
}
