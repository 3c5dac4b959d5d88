//! Extractors for requests: body, idempotency key, path and query.

use axum::extract::{ConnectInfo, FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::request::Parts;
use bytes::Bytes;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::error::Category;

use super::disconnect::Disconnector;
use super::reply::Refusal;

/// Length limit of an idempotency key, in bytes.
const MAX_KEY_LENGTH: usize = 255;

/// The body and idempotency key of a request, and a handle to its connection.
#[derive(Debug)]
pub(super) struct Incoming {
    body: Bytes,
    key: Option<String>,
    /// Closes the connection of this request.
    pub disconnector: Disconnector,
}

impl Incoming {
    /// Parses the body. Malformed JSON is a 400, another shape a 422.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, Refusal> {
        serde_json::from_slice(&self.body).map_err(|error| match error.classify() {
            Category::Data => Refusal::invalid(format!("the body does not fit: {error}")),
            _ => Refusal::bad(format!("the body is no JSON: {error}")),
        })
    }

    /// The idempotency key, from the header or the body.
    pub fn key(&self, in_body: Option<String>) -> Result<String, Refusal> {
        let key = match (&self.key, in_body) {
            (Some(header), Some(body)) if *header != body => {
                return Err(Refusal::bad(
                    "the idempotency keys of header and body differ",
                ));
            }
            (Some(key), _) => key.clone(),
            (None, Some(key)) => key,
            (None, None) => String::new(),
        };
        match key.len() {
            0 => Err(Refusal::bad(
                "an idempotency key is needed, in the header Idempotency-Key or the body's idempotency_key",
            )),
            1..=MAX_KEY_LENGTH => Ok(key),
            _ => Err(Refusal::bad("the idempotency key is longer than 255 bytes")),
        }
    }
}

impl<S: Send + Sync> FromRequest<S> for Incoming {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refusal> {
        let disconnector = request
            .extensions()
            .get::<ConnectInfo<Disconnector>>()
            .map(|ConnectInfo(disconnector)| disconnector.clone())
            .unwrap_or_default();
        let key = match request
            .headers()
            .get("idempotency-key")
            .map(|key| key.to_str())
        {
            None => None,
            Some(Ok(key)) => Some(key.to_owned()),
            Some(Err(_)) => {
                return Err(Refusal::bad("the header Idempotency-Key is no plain text"));
            }
        };
        let body = Bytes::from_request(request, state)
            .await
            .map_err(|rejection| Refusal::new(rejection.status(), rejection.body_text()))?;
        Ok(Self {
            body,
            key,
            disconnector,
        })
    }
}

/// The numeric id in the path; `None` if it is not a number.
#[derive(Debug)]
pub(super) struct PathId(pub Option<u64>);

impl<S: Send + Sync> FromRequestParts<S> for PathId {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Self::Rejection> {
        let id = Path::<u64>::from_request_parts(parts, state).await;
        Ok(Self(id.ok().map(|Path(id)| id)))
    }
}

/// The optional `order_id` of the query.
#[derive(Debug)]
pub(super) struct OrderFilter(pub Option<i64>);

#[derive(Deserialize)]
struct OrderQuery {
    order_id: Option<String>,
}

impl<S: Send + Sync> FromRequestParts<S> for OrderFilter {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        let Query(query) = Query::<OrderQuery>::try_from_uri(&parts.uri)
            .map_err(|rejection| Refusal::bad(rejection.body_text()))?;
        match query.order_id.map(|id| id.parse()) {
            None => Ok(Self(None)),
            Some(Ok(id)) => Ok(Self(Some(id))),
            Some(Err(_)) => Err(Refusal::bad("order_id has to be a whole number")),
        }
    }
}
