//! One log line a request, its metrics, and the request id that ties them to the answer.

use std::sync::Arc;
use std::time::Instant;

use axum::body::Body;
use axum::extract::{MatchedPath, Request};
use axum::http::{HeaderName, HeaderValue, Method};
use axum::middleware::Next;
use axum::response::Response;
use tracing::Instrument as _;
use tracing::field::Empty;
use uuid::Builder;

use super::Shared;
use super::caller::Known;
use super::pages;
use super::problem::Problem;
use crate::telemetry;

/// The header in which a request's id comes and goes.
pub const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// What an endless count of paths and methods is counted as.
const OTHER: &str = "other";

/// The order that a request turned out to be about.
#[derive(Clone, Copy, Debug)]
pub struct About(pub i64);

/// Names the request, answers it, and writes down how that went.
pub async fn observe(shared: &Shared, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let request_id = request_id(&request);
    let method = method(request.method());
    let matched = request.extensions().get::<MatchedPath>().cloned();
    let known_route = matched.as_ref().map(MatchedPath::as_str);
    let route = known_route.unwrap_or(OTHER);
    let by_page = pages::are_asked(&request);
    let span = tracing::info_span!(
        "request",
        %request_id,
        trace_id = Empty,
        otel.name = Empty,
        otel.kind = Empty
    );
    telemetry::serve(
        &span,
        telemetry::Incoming {
            method,
            route: known_route,
            path: request.uri().path(),
            headers: request.headers(),
        },
    );

    shared.metrics.http_requests_in_flight.inc();
    let in_flight = InFlight(shared.metrics.clone());
    let mut response = next.run(request).instrument(span.clone()).await;
    drop(in_flight);

    let problem = response.extensions().get::<Arc<Problem>>().cloned();
    if let Some(problem) = &problem {
        match by_page {
            true => pages::problem(problem, &request_id, &mut response),
            false => *response.body_mut() = Body::from(problem.document(&request_id)),
        }
    }
    if let Ok(value) = HeaderValue::from_str(&request_id) {
        response.headers_mut().insert(X_REQUEST_ID, value);
    }

    let took = started.elapsed();
    let status = response.status();
    let labels = [method, route, status.as_str()];
    shared
        .metrics
        .http_requests
        .with_label_values(&labels)
        .inc();
    shared
        .metrics
        .http_request_duration
        .with_label_values(&labels)
        .observe(took.as_secs_f64());

    let known = response.extensions().get::<Known>();
    let duration_ms = (took.as_secs_f64() * 100_000.0).round() / 100.0;
    let principal = known.map(|known| known.0.as_str());
    let order_id = response.extensions().get::<About>().map(|about| about.0);
    let code = problem.as_ref().map(|problem| problem.code());
    let error = problem.as_ref().and_then(|problem| problem.cause());
    let status = status.as_u16();
    telemetry::answered(&span, status);
    let trace_id = telemetry::trace_id(&span);
    if status >= 500 {
        telemetry::went_wrong(&span, code.unwrap_or("5xx"));
    }
    if status >= 500 {
        tracing::error!(
            request_id,
            trace_id,
            method,
            route,
            status,
            duration_ms,
            principal,
            order_id,
            code,
            error,
            "request"
        );
    } else {
        tracing::info!(
            request_id,
            trace_id,
            method,
            route,
            status,
            duration_ms,
            principal,
            order_id,
            code,
            "request"
        );
    }
    response
}

/// Counts down when the answer is ready, or when the client has left before.
struct InFlight(Arc<crate::metrics::Metrics>);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.http_requests_in_flight.dec();
    }
}

/// The client's id, if it is fit for logs, else a new one.
fn request_id(request: &Request) -> String {
    request
        .headers()
        .get(X_REQUEST_ID)
        .and_then(|value| value.to_str().ok())
        .filter(|id| {
            (1..=128).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic())
        })
        .map_or_else(new_id, str::to_owned)
}

/// From this thread's generator, which does not ask the kernel each time.
fn new_id() -> String {
    Builder::from_random_bytes(rand::random())
        .into_uuid()
        .to_string()
}

fn method(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PATCH => "PATCH",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        _ => OTHER,
    }
}
