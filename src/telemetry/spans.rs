//! What spans tell to other services, and which trace they belong to. Without traces none of this does
//! anything. Attributes go by the semantic conventions of OpenTelemetry; none is a text from a body, a
//! query or a header, so that nobody's name, address or token gets into a trace.

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

use super::sampling::{Ids, fulfilment};

/// How long a text from outside may be in a span.
const MAX_TEXT: usize = 512;

/// Whether there are traces at all.
static ON: AtomicBool = AtomicBool::new(false);

pub(super) fn turn_on() {
    ON.store(true, Ordering::Relaxed);
}

fn is_on() -> bool {
    ON.load(Ordering::Relaxed)
}

/// A request that came in. No `Debug`: its headers have a token.
#[derive(Clone, Copy)]
pub struct Incoming<'a> {
    /// Its method.
    pub method: &'static str,
    /// The template of its path, if there is one that fits.
    pub route: Option<&'a str>,
    /// Its path, without the query.
    pub path: &'a str,
    /// Its headers, of which `traceparent` and `tracestate` count.
    pub headers: &'a HeaderMap,
}

/// What a caller tells of its trace: each header once, and no longer than anybody needs.
struct Told<'a>(&'a HeaderMap);

impl Extractor for Told<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        let mut values = self.0.get_all(key).iter();
        let value = values.next().filter(|_| values.next().is_none())?;
        value.to_str().ok().filter(|it| it.len() <= MAX_TEXT)
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(HeaderName::as_str).collect()
    }
}

/// Makes a span that of a request, in the trace of who sent it, if that is told. The span has fields
/// `otel.name`, `otel.kind` and `trace_id`, and has not been entered.
pub fn serve(span: &Span, request: Incoming<'_>) {
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
    let parent =
        TraceContextPropagator::new().extract_with_context(&Context::new(), &Told(request.headers));
    let _ = span.set_parent(parent);
    if let Some(trace_id) = trace_id(span) {
        span.record("trace_id", trace_id);
    }
}

/// Notes the status of an answer, ours or a peer's.
pub fn answered(span: &Span, status: u16) {
    if is_on() {
        span.set_attribute("http.response.status_code", i64::from(status));
    }
}

/// Notes that what the span is about went wrong, in a word of which there are few.
pub fn went_wrong(span: &Span, what: &str) {
    if is_on() {
        span.set_attribute("error.type", what.to_owned());
        span.set_status(Status::error(""));
    }
}

/// Makes a span that of a call to a peer. The span has a field `otel.kind` and has not been entered.
pub fn call(span: &Span, peer: &'static str) {
    if is_on() {
        span.record("otel.kind", "client");
        span.set_attribute("peer.service", peer);
    }
}

/// Tells the receiver of a request which trace it belongs to, and the span what is asked of whom; `false`
/// where there is none.
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
    let told = Context::new().with_remote_span_context(context);
    TraceContextPropagator::new().inject_context(&told, &mut HeaderInjector(headers));
    if headers
        .get("tracestate")
        .is_some_and(|state| state.is_empty())
    {
        headers.remove("tracestate");
    }
    true
}

/// Puts a span into the trace of an order's fulfilment: as its first span, or below that. The span and
/// that of the request which gave cause to it, if any, are linked with each other. It has not been
/// entered.
pub fn fulfil(span: &Span, identity: Uuid, is_first: bool, cause: &Span) {
    if !is_on() {
        return;
    }
    let first = fulfilment(identity);
    if is_first {
        let _ = span.set_parent(Context::new());
        Ids::with(&first, || drop(span.context()));
    } else {
        let _ = span.set_parent(Context::new().with_remote_span_context(first));
    }
    if let (Some(this), Some(cause_context)) = (context(span), context(cause)) {
        span.add_link(cause_context);
        cause.add_link(this);
    }
}

/// The number of the trace that a span belongs to, in hexadecimal digits.
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
