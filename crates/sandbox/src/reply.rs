//! What an operation answers: an [`Answer`], or a [`Refusal`] with its reason.

use std::time::Duration;

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Value, json};

/// What an operation ends in.
pub(super) type Reply = Result<Answer, Refusal>;

/// An answer ready to be sent.
#[derive(Debug)]
pub(super) struct Answer {
    status: StatusCode,
    body: Value,
    delay: Duration,
}

impl Answer {
    /// An answer with this status and body.
    pub fn new(status: StatusCode, body: impl Serialize) -> Self {
        // Only a map with keys that are no text fails here, and no body has one.
        let body = serde_json::to_value(body).unwrap_or(Value::Null);
        Self {
            status,
            body,
            delay: Duration::ZERO,
        }
    }

    /// 201 with this body.
    pub fn created(body: impl Serialize) -> Self {
        Self::new(StatusCode::CREATED, body)
    }

    /// 200 with this body.
    pub fn ok(body: impl Serialize) -> Self {
        Self::new(StatusCode::OK, body)
    }

    /// The same, held back for a while.
    pub fn delayed(self, delay: Duration) -> Self {
        Self { delay, ..self }
    }

    /// How long it is held back.
    pub fn delay(&self) -> Duration {
        self.delay
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        (self.status, Json(self.body)).into_response()
    }
}

/// A no, answered as `{"detail": reason}`.
#[derive(Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    detail: String,
}

impl Refusal {
    /// A no with this status and reason.
    pub fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        Self { status, detail }
    }

    /// 400: the request cannot be understood.
    pub fn bad(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    /// 404: there is no such thing.
    pub fn missing(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, detail)
    }

    /// 409: not as things are.
    pub fn conflict(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, detail)
    }

    /// 422: understood, and not acceptable.
    pub fn invalid(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, detail)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.status, Json(json!({ "detail": self.detail }))).into_response()
    }
}
