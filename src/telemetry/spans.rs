//! Trace context propagation and span attributes. All functions are no-ops if traces are off. Attributes follow
//! the semantic conventions of OpenTelemetry; none is taken from a body, a query or a header, so that no personal
//! data and no token gets into a trace.

use std::sync::atomic::{AtomicBool, Ordering};

use opentelemetry::Context;
use opentelemetry::propagation::{Extractor, TextMapPropagator as _};
use opentelemetry::trace::{SpanContext, Status, TraceContextExt as _};
use opentelemetry_http::HeaderInjector;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use reqwest::header::{HeaderMap, HeaderName};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use url::Url;
use uuid::Uuid;

use super::sampling::{TraceIds, saga_root};

/// The longest text from a client in a span, in bytes.
const MAX_TEXT: usize = 512;

/// Whether traces are on.
static ON: AtomicBool = AtomicBool::new(false);

pub(super) fn turn_on() {
    ON.store(true, Ordering::Relaxed);
}

fn is_on() -> bool {
    ON.load(Ordering::Relaxed)
}

/// A request. No `Debug`, because its headers contain a token.
#[derive(Clone, Copy)]
pub struct IncomingRequest<'a> {
    /// Its method.
    pub method: &'static str,
    /// The route template, if one matches.
    pub route: Option<&'a str>,
    /// Its path, without the query.
    pub path: &'a str,
    /// Its headers, with `traceparent` and `tracestate`.
    pub headers: &'a HeaderMap,
}

/// The trace headers of a request: duplicate and overlong ones are ignored.
struct TraceHeaders<'a>(&'a HeaderMap);

impl Extractor for TraceHeaders<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        let mut values = self.0.get_all(key).iter();
        let value = values.next().filter(|_| values.next().is_none())?;
        value.to_str().ok().filter(|it| it.len() <= MAX_TEXT)
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(HeaderName::as_str).collect()
    }
}

/// Makes a span the server span of a request, in the trace of the client if the request names one. The span has
/// fields `otel.name`, `otel.kind` and `trace_id`, and has not been entered.
pub fn start_server_span(span: &Span, request: IncomingRequest<'_>) {
    if !is_on() {
        return;
    }
    match request.route {
        Some(route) => {
            span.record("otel.name", format!("{} {route}", request.method));
            span.set_attribute("http.route", route.to_owned());
        }
        None => {
            span.record("otel.name", request.method);
        }
    }
    span.record("otel.kind", "server");
    span.set_attribute("http.request.method", request.method);
    let path = request.path.get(..MAX_TEXT).unwrap_or(request.path);
    span.set_attribute("url.path", path.to_owned());
    let parent = TraceContextPropagator::new()
        .extract_with_context(&Context::new(), &TraceHeaders(request.headers));
    let _ = span.set_parent(parent);
    if let Some(trace_id) = trace_id(span) {
        span.record("trace_id", trace_id);
    }
}

/// Records the status of a response.
pub fn record_status(span: &Span, status: u16) {
    if is_on() {
        span.set_attribute("http.response.status_code", i64::from(status));
    }
}

/// Marks a span as failed. `what` is one of a small set of error types.
pub fn record_error(span: &Span, what: &str) {
    if is_on() {
        span.set_attribute("error.type", what.to_owned());
        span.set_status(Status::error(""));
    }
}

/// Makes a span the client span of a call to a peer. The span has a field `otel.kind` and has not been entered.
pub fn start_client_span(span: &Span, peer: &'static str) {
    if is_on() {
        span.record("otel.kind", "client");
        span.set_attribute("peer.service", peer);
    }
}

/// Adds the trace headers to a request and its attributes to the span. Returns `false` if there is no trace.
pub fn continue_trace(span: &Span, method: &str, url: &Url, headers: &mut HeaderMap) -> bool {
    let Some(context) = context(span) else {
        return false;
    };
    span.set_attribute("http.request.method", method.to_owned());
    if let Some(host) = url.host_str() {
        span.set_attribute("server.address", host.to_owned());
    }
    if let Some(port) = url.port_or_known_default() {
        span.set_attribute("server.port", i64::from(port));
    }
    let remote = Context::new().with_remote_span_context(context);
    TraceContextPropagator::new().inject_context(&remote, &mut HeaderInjector(headers));
    if headers
        .get("tracestate")
        .is_some_and(|state| state.is_empty())
    {
        headers.remove("tracestate");
    }
    true
}

/// Puts a span into the trace of an order's saga: as its first span, or as a child of that. The span and the
/// span of the request that caused it are linked with each other. The span has not been entered.
pub fn start_saga_span(span: &Span, identity: Uuid, is_first: bool, cause: &Span) {
    if !is_on() {
        return;
    }
    let first = saga_root(identity);
    if is_first {
        let _ = span.set_parent(Context::new());
        TraceIds::with(&first, || drop(span.context()));
    } else {
        let _ = span.set_parent(Context::new().with_remote_span_context(first));
    }
    if let (Some(this), Some(cause_context)) = (context(span), context(cause)) {
        span.add_link(cause_context);
        cause.add_link(this);
    }
}

/// The id of the trace of a span, in hexadecimal digits.
pub fn trace_id(span: &Span) -> Option<String> {
    context(span).map(|context| context.trace_id().to_string())
}

fn context(span: &Span) -> Option<SpanContext> {
    if !is_on() {
        return None;
    }
    let context = span.context().span().span_context().clone();
    context.is_valid().then_some(context)
}
