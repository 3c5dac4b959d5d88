//! The access log: one line, one span and one set of metrics per request, and the request id that connects
//! them to the response.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::{MatchedPath, Request};
use axum::http::{HeaderValue, Method};
use axum::middleware::Next;
use axum::response::Response;
use tracing::field::Empty;
use tracing::{Instrument as _, Span};
use uuid::Builder;

use super::headers::X_REQUEST_ID;
use super::log_fields::{LoggedCaller, LoggedOrder};
use super::pages;
use super::problem::Problem;
use crate::metrics::Metrics;
use crate::telemetry;

/// The label of unknown paths and methods, so that their number does not grow the metrics.
const OTHER: &str = "other";

/// Assigns the request id, runs the request in its span, and records the response.
pub async fn observe(metrics: &Arc<Metrics>, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let request_id = request_id(&request);
    let method = method(request.method());
    let matched = request.extensions().get::<MatchedPath>().cloned();
    let known_route = matched.as_ref().map(MatchedPath::as_str);
    let route = known_route.unwrap_or(OTHER);
    let by_page = pages::answers_with_page(&request);
    let span = tracing::info_span!(
        "request",
        %request_id,
        trace_id = Empty,
        otel.name = Empty,
        otel.kind = Empty
    );
    telemetry::start_server_span(
        &span,
        telemetry::IncomingRequest {
            method,
            route: known_route,
            path: request.uri().path(),
            headers: request.headers(),
        },
    );

    let in_flight = InFlightRequest::begin(metrics.clone());
    let mut response = next.run(request).instrument(span.clone()).await;
    drop(in_flight);

    let problem = response.extensions().get::<Arc<Problem>>().cloned();
    if let Some(problem) = &problem {
        match by_page {
            true => pages::render_problem(problem, &request_id, &mut response),
            false => *response.body_mut() = Body::from(problem.document(&request_id)),
        }
    }
    if let Ok(value) = HeaderValue::from_str(&request_id) {
        response.headers_mut().insert(X_REQUEST_ID, value);
    }
    let entry = LogEntry {
        request_id: &request_id,
        method,
        route,
        took: started.elapsed(),
        problem: problem.as_deref(),
    };
    entry.record(metrics, &span, &response);
    response
}

/// A finished request.
struct LogEntry<'a> {
    request_id: &'a str,
    method: &'static str,
    route: &'a str,
    took: Duration,
    problem: Option<&'a Problem>,
}

impl LogEntry<'_> {
    /// Updates the metrics, ends the span, and writes the log line.
    fn record(&self, metrics: &Metrics, span: &Span, response: &Response) {
        let (method, route) = (self.method, self.route);
        let status = response.status();
        let labels = [method, route, status.as_str()];
        metrics.http_requests.with_label_values(&labels).inc();
        metrics
            .http_request_duration
            .with_label_values(&labels)
            .observe(self.took.as_secs_f64());

        let caller = response.extensions().get::<LoggedCaller>();
        let duration_ms = (self.took.as_secs_f64() * 100_000.0).round() / 100.0;
        let principal = caller.map(|caller| caller.0.as_str());
        let order_id = response
            .extensions()
            .get::<LoggedOrder>()
            .map(|order| order.0);
        let code = self.problem.map(Problem::code);
        let error = self.problem.and_then(Problem::cause);
        let status = status.as_u16();
        let request_id = self.request_id;
        telemetry::record_status(span, status);
        let trace_id = telemetry::trace_id(span);
        if status >= 500 {
            telemetry::record_error(span, code.unwrap_or("5xx"));
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
    }
}

/// Counts a request in progress. Dropping it ends the count, also if the client disconnects.
struct InFlightRequest(Arc<Metrics>);

impl InFlightRequest {
    fn begin(metrics: Arc<Metrics>) -> Self {
        metrics.http_requests_in_flight.inc();
        Self(metrics)
    }
}

impl Drop for InFlightRequest {
    fn drop(&mut self) {
        self.0.http_requests_in_flight.dec();
    }
}

/// The client's request id if it is printable and short, otherwise a new one.
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

/// A UUID from the thread's generator, which needs no system call.
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
