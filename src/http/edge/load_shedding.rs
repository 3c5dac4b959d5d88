//! Admission control: reads the body, sheds load, and applies the request timeout.

use std::sync::Arc;

use axum::body::{Body, HttpBody as _, to_bytes};
use axum::extract::{MatchedPath, Request, State};
use axum::http::header::CONTENT_LENGTH;
use axum::middleware::Next;
use axum::response::Response;
use tokio::time::timeout;

use crate::http::problem::{Problem, ProblemKind};

use super::Edge;

/// The maximum size of a request body, in bytes; an order with a hundred lines takes a tenth of it.
const MAX_BODY_BYTES: usize = 128 * 1024;

/// Admits a request: reads its body, takes a permit, and runs the handler within the request timeout.
///
/// The body comes first, so that a slow upload holds no permit.
pub async fn admit(
    State(edge): State<Arc<Edge>>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let request = read_body(&edge, request).await?;
    if is_for_operators(&request) {
        return Ok(next.run(request).await);
    }
    let Ok(_permit) = edge.permits.try_acquire() else {
        let detail = "the limit of concurrent requests is reached; try again";
        return Err(edge.reject(ProblemKind::Overloaded, detail).retry_after(1));
    };
    let limit = edge.limits.request_timeout;
    timeout(limit, next.run(request)).await.map_err(|_| {
        let detail =
            "the request timed out and may have been executed; repeat it with the same key";
        edge.reject(ProblemKind::TimedOut, detail).retry_after(1)
    })
}

/// Whether a route is for operators. Health and metrics must answer when the service is overloaded.
fn is_for_operators(request: &Request) -> bool {
    let path = request.extensions().get::<MatchedPath>();
    path.is_some_and(|path| {
        let path = path.as_str();
        path.starts_with("/health/") || path == "/metrics/"
    })
}

/// Reads the body of a request within limits of size and time. The timeout covers the whole body, so that
/// a client cannot hold a connection by sending single bytes.
async fn read_body(edge: &Edge, request: Request) -> Result<Request, Problem> {
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
    let limit = edge.limits.body_timeout;
    let bytes = match timeout(limit, to_bytes(body, MAX_BODY_BYTES)).await {
        Ok(Ok(bytes)) => bytes,
        Err(_) => {
            let detail = format!("the body must arrive within {} ms", limit.as_millis());
            return Err(edge.reject(ProblemKind::BodyTooSlow, detail));
        }
        Ok(Err(error)) if is_length_limit(&error) => return Err(too_large()),
        Ok(Err(_)) => {
            return Err(Problem::new(
                ProblemKind::MalformedBody,
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
        ProblemKind::BodyTooLarge,
        format!("the body may have at most {MAX_BODY_BYTES} bytes"),
    )
}
