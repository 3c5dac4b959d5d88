//! The export of spans: a bounded queue, OTLP over HTTP, and counters and warnings for lost spans.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use opentelemetry::Context;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response, ResponseBodyTooLarge};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{BatchSpanProcessor, Span, SpanData, SpanExporter, SpanProcessor};
use prometheus::IntCounterVec;
use tokio::runtime::Handle;

/// The capacity of the queue, which includes spans that are being sent.
pub(super) const QUEUE: usize = 2048;
/// The least time between two warnings about lost spans.
const WARN_EVERY: Duration = Duration::from_secs(60);
/// The largest response of the collector, in bytes.
const MAX_BODY: usize = 64 * 1024;

/// Counts spans by what happened to them.
#[derive(Debug, Default)]
pub(super) struct SpanCounters {
    waiting: AtomicUsize,
    counter: OnceLock<IntCounterVec>,
    /// When the last warning was logged, and how many spans were lost since then.
    warned: Mutex<(Option<Instant>, usize)>,
}

impl SpanCounters {
    /// Counts into this metric from now on.
    pub fn count_in(&self, counter: IntCounterVec) {
        let _ = self.counter.set(counter);
    }

    fn count(&self, result: &str, spans: usize) {
        if let Some(counter) = self.counter.get() {
            let spans = u64::try_from(spans).unwrap_or(u64::MAX);
            counter.with_label_values(&[result]).inc_by(spans);
        }
    }

    /// Takes a slot of the queue, if one is free.
    fn admit(&self) -> bool {
        let one_more = |waiting| (waiting < QUEUE).then_some(waiting + 1);
        let taken = self
            .waiting
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more);
        taken.is_ok()
    }

    fn lost(&self, result: &str, spans: usize, why: &dyn std::fmt::Display) {
        self.count(result, spans);
        let mut warned = self.warned.lock().unwrap_or_else(PoisonError::into_inner);
        warned.1 += spans;
        if warned.0.is_some_and(|at| at.elapsed() < WARN_EVERY) {
            return;
        }
        let spans = std::mem::take(&mut warned.1);
        warned.0 = Some(Instant::now());
        drop(warned);
        tracing::warn!(error = %why, spans, "traces are lost");
    }
}

/// Limits the queue to [`QUEUE`] spans and counts the dropped ones, because the queue of the SDK drops spans
/// silently.
#[derive(Debug)]
pub(super) struct BoundedProcessor {
    pub next: BatchSpanProcessor,
    pub counters: Arc<SpanCounters>,
}

impl SpanProcessor for BoundedProcessor {
    fn on_start(&self, span: &mut Span, context: &Context) {
        self.next.on_start(span, context);
    }

    fn on_end(&self, span: SpanData) {
        if self.counters.admit() {
            self.next.on_end(span);
        } else {
            self.counters.lost("dropped", 1, &"the queue is full");
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.next.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.next.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.next.set_resource(resource);
    }
}

/// Counts the result of each batch. The SDK would log every failed one.
#[derive(Debug)]
pub(super) struct CountingExporter {
    pub next: opentelemetry_otlp::SpanExporter,
    pub counters: Arc<SpanCounters>,
}

impl SpanExporter for CountingExporter {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = batch.len();
        let result = self.next.export(batch).await;
        self.counters.waiting.fetch_sub(spans, Ordering::Relaxed);
        match &result {
            Ok(()) => self.counters.count("sent", spans),
            Err(error) => self.counters.lost("failed", spans, error),
        }
        result
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.next.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.next.set_resource(resource);
    }
}

/// The HTTP client of the exporter. It runs on the runtime of the service, because the SDK exports from a
/// thread without a runtime.
#[derive(Debug)]
pub(super) struct RuntimeHttpClient {
    client: reqwest::Client,
    runtime: Handle,
}

impl RuntimeHttpClient {
    /// Uses the runtime of the calling task.
    pub fn new(timeout: Duration) -> Result<Self, reqwest::Error> {
        let client = reqwest::Client::builder()
            .user_agent(concat!("order-service/", env!("CARGO_PKG_VERSION")))
            .timeout(timeout)
            .redirect(reqwest::redirect::Policy::none())
            // A stray HTTP_PROXY must not see traces.
            .no_proxy()
            .build()?;
        Ok(Self {
            client,
            runtime: Handle::current(),
        })
    }
}

#[async_trait]
impl HttpClient for RuntimeHttpClient {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let client = self.client.clone();
        self.runtime.spawn(send(client, request)).await?
    }
}

async fn send(
    client: reqwest::Client,
    request: Request<Bytes>,
) -> Result<Response<Bytes>, HttpError> {
    let mut response = client.execute(request.try_into()?).await?;
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > MAX_BODY {
            return Err(Box::new(ResponseBodyTooLarge::new()));
        }
        body.extend_from_slice(&chunk);
    }
    let mut answer = Response::new(Bytes::from(body));
    *answer.status_mut() = response.status();
    *answer.headers_mut() = std::mem::take(response.headers_mut());
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dropped_spans_are_counted_and_logged_once() {
        let counters = SpanCounters::default();
        let counter =
            IntCounterVec::new(prometheus::Opts::new("spans", "Spans."), &["result"]).unwrap();
        counters.count_in(counter.clone());
        assert!((0..QUEUE).all(|_| counters.admit()));
        assert!(!counters.admit());
        for _ in 0..3 {
            counters.lost("dropped", 1, &"full");
        }
        assert_eq!(counter.with_label_values(&["dropped"]).get(), 3);
        let warned = counters.warned.lock().unwrap();
        assert_eq!(warned.1, 2, "the others wait for the next warning");
    }
}
