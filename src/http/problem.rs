//! Problem details (RFC 9457): the format of every error response, and the catalogue of problems.

use std::any::Any;
use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value};

use crate::auth::TokenError;
use crate::domain::ids::OrderId;
use crate::orders::{self, StateConflict};

mod kind;
mod schema;
mod violation;

pub use kind::ProblemKind;
pub use schema::ProblemSchema;
pub use violation::Violation;

/// The detail of internal errors; their cause is for the log only.
pub const INTERNAL_DETAIL: &str = "an internal error; it was logged";

/// An error response. The access log takes it from the response's extensions, logs its cause, and writes
/// the document.
#[derive(Clone, Debug)]
pub struct Problem {
    kind: ProblemKind,
    detail: String,
    errors: Vec<Violation>,
    order: Option<Box<(OrderId, Value)>>,
    current: Option<Box<(i32, Option<HeaderValue>)>>,
    retry_after_s: Option<u32>,
    cause: Option<Arc<dyn std::error::Error + Send + Sync>>,
}

impl Problem {
    /// A problem with a detail for this case.
    pub fn new(kind: ProblemKind, detail: impl Into<String>) -> Self {
        Self {
            kind,
            detail: detail.into(),
            errors: Vec::new(),
            order: None,
            current: None,
            retry_after_s: None,
            cause: None,
        }
    }

    /// The problem of an invalid request. It lists all violations.
    pub fn invalid(errors: Vec<Violation>) -> Self {
        let detail = match errors.as_slice() {
            [violation] => match violation.pointer.trim_start_matches('/') {
                "" => format!("the {} {}", violation.location, violation.detail),
                name => format!("{name} {}", violation.detail),
            },
            violations => format!(
                "the request has {} violations, see errors",
                violations.len()
            ),
        };
        Self {
            errors,
            ..Self::new(ProblemKind::InvalidRequest, detail)
        }
    }

    /// Adds the order.
    pub fn with_order(mut self, order_id: OrderId, order: Value) -> Self {
        self.order = Some(Box::new((order_id, order)));
        self
    }

    /// Adds violations that explain the problem.
    pub fn with_errors(mut self, errors: Vec<Violation>) -> Self {
        self.errors = errors;
        self
    }

    /// Adds the present version of the order and its entity tag.
    pub fn with_current(mut self, version: i32, tag: Option<HeaderValue>) -> Self {
        self.current = Some(Box::new((version, tag)));
        self
    }

    /// Adds `Retry-After`.
    pub fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after_s = Some(seconds);
        self
    }

    fn caused_by(mut self, cause: impl std::error::Error + Send + Sync + 'static) -> Self {
        self.cause = Some(Arc::new(cause));
        self
    }

    /// The error that caused the problem, for the log.
    pub fn cause(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.cause
            .as_deref()
            .map(|cause| cause as &(dyn std::error::Error + 'static))
    }

    /// The code of the kind.
    pub fn code(&self) -> &'static str {
        self.kind.code()
    }

    /// The title of the kind.
    pub fn title(&self) -> &'static str {
        self.kind.title()
    }

    /// What is wrong in this case.
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// The violations as sentences.
    pub fn violations(&self) -> Vec<String> {
        let violations = self.errors.iter();
        violations
            .map(|violation| {
                let name = violation.pointer.trim_start_matches('/');
                format!("{name} {}", violation.detail)
            })
            .collect()
    }

    /// The JSON document that the client receives.
    pub fn document(&self, request_id: &str) -> Vec<u8> {
        let mut document = Map::new();
        let mut set = |name: &str, value: Value| document.insert(name.to_owned(), value);
        set("type", self.kind.type_uri().into());
        set("title", self.kind.title().into());
        set("status", self.kind.status().as_u16().into());
        set("code", self.kind.code().into());
        set("detail", self.detail.clone().into());
        set("request_id", request_id.into());
        if !self.errors.is_empty() {
            set(
                "errors",
                serde_json::to_value(&self.errors).unwrap_or_default(),
            );
        }
        if let Some((order_id, order)) = self.order.as_deref() {
            set("order_id", order_id.0.into());
            set("order", order.clone());
        }
        if let Some((version, _)) = self.current.as_deref() {
            set("current_version", (*version).into());
        }
        serde_json::to_vec(&document).unwrap_or_default()
    }
}

impl IntoResponse for Problem {
    /// Sets status and headers. `access_log` writes the document, because it knows the request id.
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = self.kind.status();
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        if let Some((_, Some(tag))) = self.current.as_deref() {
            headers.insert(header::ETAG, tag.clone());
        }
        if let Some(seconds) = self.retry_after_s {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.kind.status() == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response.extensions_mut().insert(Arc::new(self));
        response
    }
}

impl From<orders::Error> for Problem {
    fn from(error: orders::Error) -> Self {
        match error {
            orders::Error::NotFound(_) | orders::Error::NothingHere => {
                Self::new(ProblemKind::NotFound, error.to_string())
            }
            orders::Error::Forbidden(why) => Self::new(ProblemKind::Forbidden, why),
            orders::Error::StateConflict(conflict @ StateConflict::NotCancellable { .. }) => {
                Self::new(ProblemKind::CannotCancel, conflict.to_string())
            }
            orders::Error::StateConflict(conflict @ StateConflict::NotStuck { .. }) => {
                Self::new(ProblemKind::NothingToDecide, conflict.to_string())
            }
            orders::Error::StateConflict(
                conflict @ (StateConflict::Transition { .. }
                | StateConflict::AlreadyCancelling { .. }),
            ) => Self::new(ProblemKind::InvalidTransition, conflict.to_string()),
            orders::Error::VersionMismatch { .. } => Self::new(
                ProblemKind::PreconditionFailed,
                format!("{error}; read it again, and send its ETag as If-Match"),
            ),
            orders::Error::TooManyListeners => Self::new(
                ProblemKind::Unavailable,
                "the limit of streams is reached, or the process is stopping; try again",
            )
            .retry_after(5),
            orders::Error::TooManyListenersOfCaller(most) => Self::new(
                ProblemKind::TooManyListeners,
                format!("you follow {most} orders already; end a stream first"),
            )
            .retry_after(5),
            orders::Error::KeyReused => Self::new(
                ProblemKind::IdempotencyKeyReused,
                "this Idempotency-Key was used before with another request; use a new one",
            ),
            orders::Error::Busy => Self::new(
                ProblemKind::Conflict,
                "the order is being changed by others; try again",
            )
            .retry_after(1),
            orders::Error::Unavailable(cause) => Self::new(
                ProblemKind::Unavailable,
                "the database is not available; try again with the same key",
            )
            .retry_after(1)
            .caused_by(cause),
            orders::Error::Database(_) | orders::Error::Crashed(_) => {
                Self::new(ProblemKind::Internal, INTERNAL_DETAIL).caused_by(error)
            }
        }
    }
}

impl From<TokenError> for Problem {
    fn from(rejection: TokenError) -> Self {
        match rejection {
            TokenError::NoKeys => {
                Self::new(ProblemKind::Unavailable, rejection.to_string()).retry_after(5)
            }
            _ => Self::new(ProblemKind::Unauthenticated, rejection.to_string()),
        }
    }
}

/// Fallback for unknown routes.
pub async fn no_such_route() -> Problem {
    Problem::new(
        ProblemKind::NotFound,
        "there is nothing at this path; see /orders-doc/ for all paths",
    )
}

/// Fallback for methods that a route does not support.
pub async fn no_such_method() -> Problem {
    Problem::new(
        ProblemKind::MethodNotAllowed,
        "this path does not support this method; see the Allow header",
    )
}

/// The response if a handler panics.
pub fn from_panic(panic: Box<dyn Any + Send + 'static>) -> Response {
    let message = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("a panic without a message");
    Problem::new(ProblemKind::Internal, INTERNAL_DETAIL)
        .caused_by(std::io::Error::other(format!("panic: {message}")))
        .into_response()
}
