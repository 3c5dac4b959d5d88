//! Results of an operation: an [`Answer`], or a [`Refusal`] with a reason.

use std::time::Duration;

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Value, json};

/// The result of an operation.
pub(super) type Reply = Result<Answer, Refusal>;

/// A successful response.
#[derive(Debug)]
pub(super) struct Answer {
    status: StatusCode,
    body: Value,
    delay: Duration,
}

impl Answer {
    /// A response with this status and body.
    pub fn new(status: StatusCode, body: impl Serialize) -> Self {
        // Serialization only fails for maps with non-string keys, which no body contains.
        let body = serde_json::to_value(body).unwrap_or(Value::Null);
        Self {
            status,
            body,
            delay: Duration::ZERO,
        }
    }

    /// A 201 response.
    pub fn created(body: impl Serialize) -> Self {
        Self::new(StatusCode::CREATED, body)
    }

    /// A 200 response.
    pub fn ok(body: impl Serialize) -> Self {
        Self::new(StatusCode::OK, body)
    }

    /// Delays the response.
    pub fn delayed(self, delay: Duration) -> Self {
        Self { delay, ..self }
    }

    /// The delay before it is sent.
    pub fn delay(&self) -> Duration {
        self.delay
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        (self.status, Json(self.body)).into_response()
    }
}

/// An error response, `{"detail": reason}`.
#[derive(Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    detail: String,
}

impl Refusal {
    /// An error with this status and reason.
    pub fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        Self { status, detail }
    }

    /// 400: malformed request.
    pub fn bad(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    /// 404: not found.
    pub fn missing(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, detail)
    }

    /// 409: conflict with the current state.
    pub fn conflict(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, detail)
    }

    /// 422: well-formed but invalid.
    pub fn invalid(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, detail)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.status, Json(json!({ "detail": self.detail }))).into_response()
    }
}
