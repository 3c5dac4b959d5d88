//! Problem details (RFC 9457): the one shape of every error, and the catalogue of all of them.

use std::any::Any;
use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::auth::Rejection;
use crate::domain::ids::OrderId;
use crate::orders::{Error, StateConflict};

mod kind;

pub use kind::Kind;

/// One fault of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Fault {
    /// Which part of the request: `body`, `query`, `path` or `header`.
    #[schema(example = "body")]
    pub location: &'static str,
    /// JSON pointer (RFC 6901) to the value within that part.
    #[schema(example = "/items/0/quantity")]
    pub pointer: String,
    /// What is wrong, for machines.
    #[schema(example = "out_of_range")]
    pub code: &'static str,
    /// What is wrong and how to mend it.
    #[schema(example = "must be a whole number from 1 to 10000")]
    pub detail: String,
}

/// An error on its way to the client. Its cause rides in the response's extensions, for the log.
#[derive(Clone, Debug)]
pub struct Problem {
    kind: Kind,
    detail: String,
    errors: Vec<Fault>,
    order: Option<Box<(OrderId, Value)>>,
    current: Option<Box<(i32, Option<HeaderValue>)>>,
    retry_after_s: Option<u32>,
    cause: Option<Arc<dyn std::error::Error + Send + Sync>>,
}

impl Problem {
    /// A problem with words for this case.
    pub fn new(kind: Kind, detail: impl Into<String>) -> Self {
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

    /// A request with faults; all of them are told at once.
    pub fn invalid(errors: Vec<Fault>) -> Self {
        let detail = match errors.as_slice() {
            [fault] => match fault.pointer.trim_start_matches('/') {
                "" => format!("the {} {}", fault.location, fault.detail),
                name => format!("{name} {}", fault.detail),
            },
            faults => format!("the request has {} faults, see errors", faults.len()),
        };
        Self {
            errors,
            ..Self::new(Kind::InvalidRequest, detail)
        }
    }

    /// With the order that it is about.
    pub fn with_order(mut self, order_id: OrderId, order: Value) -> Self {
        self.order = Some(Box::new((order_id, order)));
        self
    }

    /// With faults that explain it.
    pub fn with_errors(mut self, errors: Vec<Fault>) -> Self {
        self.errors = errors;
        self
    }

    /// With the version at which the order is instead, and its tag.
    pub fn with_current(mut self, version: i32, tag: Option<HeaderValue>) -> Self {
        self.current = Some(Box::new((version, tag)));
        self
    }

    /// With when to come again.
    pub fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after_s = Some(seconds);
        self
    }

    fn caused_by(mut self, cause: impl std::error::Error + Send + Sync + 'static) -> Self {
        self.cause = Some(Arc::new(cause));
        self
    }

    /// What led to it, for the log.
    pub fn cause(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.cause
            .as_deref()
            .map(|cause| cause as &(dyn std::error::Error + 'static))
    }

    /// Its name, for the log.
    pub fn code(&self) -> &'static str {
        self.kind.code()
    }

    /// The kind in words.
    pub fn title(&self) -> &'static str {
        self.kind.title()
    }

    /// What is wrong, in words.
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// The faults of the request, in words.
    pub fn faults(&self) -> Vec<String> {
        let faults = self.errors.iter();
        faults
            .map(|fault| {
                let name = fault.pointer.trim_start_matches('/');
                format!("{name} {}", fault.detail)
            })
            .collect()
    }

    /// The document, as the client gets it.
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
    /// Status and headers; the document is written by `access_log`, which knows the request's id.
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

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::NotFound(_) | Error::NothingHere => Self::new(Kind::NotFound, error.to_string()),
            Error::Forbidden(why) => Self::new(Kind::Forbidden, why),
            Error::StateConflict(conflict @ StateConflict::NotCancellable { .. }) => {
                Self::new(Kind::CannotCancel, conflict.to_string())
            }
            Error::StateConflict(conflict @ StateConflict::NotStuck { .. }) => {
                Self::new(Kind::NothingToDecide, conflict.to_string())
            }
            Error::StateConflict(
                conflict @ (StateConflict::Transition { .. }
                | StateConflict::AlreadyCancelling { .. }),
            ) => Self::new(Kind::InvalidTransition, conflict.to_string()),
            Error::VersionMismatch { .. } => Self::new(
                Kind::PreconditionFailed,
                format!("{error}; read it again, and send its ETag as If-Match"),
            ),
            Error::TooManyListeners => Self::new(
                Kind::Unavailable,
                "this process serves as many streams as it takes, or stops; try again",
            )
            .retry_after(5),
            Error::TooManyListenersOfCaller(most) => Self::new(
                Kind::TooManyListeners,
                format!("you follow {most} orders already; end a stream first"),
            )
            .retry_after(5),
            Error::KeyReused => Self::new(
                Kind::IdempotencyKeyReused,
                "this Idempotency-Key was used before with another request; use a new one",
            ),
            Error::Busy => Self::new(
                Kind::Conflict,
                "the order is being changed by others; try again",
            )
            .retry_after(1),
            Error::Unavailable(cause) => Self::new(
                Kind::Unavailable,
                "the database is not available; try again with the same key",
            )
            .retry_after(1)
            .caused_by(cause),
            Error::Database(_) | Error::Crashed(_) => {
                Self::new(Kind::Internal, "an unexpected fault of ours; it was logged")
                    .caused_by(error)
            }
        }
    }
}

impl From<Rejection> for Problem {
    fn from(rejection: Rejection) -> Self {
        match rejection {
            Rejection::NoKeys => Self::new(Kind::Unavailable, rejection.to_string()).retry_after(5),
            _ => Self::new(Kind::Unauthenticated, rejection.to_string()),
        }
    }
}

/// The answer on paths that there are not.
pub async fn no_such_route() -> Problem {
    Problem::new(
        Kind::NotFound,
        "there is nothing at this path; see /orders-doc/ for all paths",
    )
}

/// The answer on methods that a path does not know.
pub async fn no_such_method() -> Problem {
    Problem::new(
        Kind::MethodNotAllowed,
        "this path does not know this method; see the Allow header",
    )
}

/// The answer when a handler panics.
pub fn from_panic(panic: Box<dyn Any + Send + 'static>) -> Response {
    let message = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("a panic without words");
    Problem::new(Kind::Internal, "an unexpected fault of ours; it was logged")
        .caused_by(std::io::Error::other(format!("panic: {message}")))
        .into_response()
}
