//! The way of spans to the collector: a bounded queue, OTLP over HTTP, and word of what got lost.

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

/// How many spans may wait, those that are just being sent among them.
pub(super) const QUEUE: usize = 2048;
/// At most one warning in this time, however many batches are lost.
const WARN_EVERY: Duration = Duration::from_secs(60);
/// The largest answer that is read.
const MAX_BODY: usize = 64 * 1024;

/// What becomes of spans.
#[derive(Debug, Default)]
pub(super) struct Fate {
    waiting: AtomicUsize,
    counter: OnceLock<IntCounterVec>,
    /// When the last warning was given, and how many spans were lost since.
    warned: Mutex<(Option<Instant>, usize)>,
}

impl Fate {
    /// Counts into this from now on.
    pub fn count_in(&self, counter: IntCounterVec) {
        let _ = self.counter.set(counter);
    }

    fn count(&self, result: &str, spans: usize) {
        if let Some(counter) = self.counter.get() {
            let spans = u64::try_from(spans).unwrap_or(u64::MAX);
            counter.with_label_values(&[result]).inc_by(spans);
        }
    }

    /// Takes a place in the queue, if there is one left.
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

/// Lets no more spans wait than [`QUEUE`], and counts those that it turns away: the SDK's own queue, which
/// is as long, drops them without a word.
#[derive(Debug)]
pub(super) struct Bounded {
    pub next: BatchSpanProcessor,
    pub fate: Arc<Fate>,
}

impl SpanProcessor for Bounded {
    fn on_start(&self, span: &mut Span, context: &Context) {
        self.next.on_start(span, context);
    }

    fn on_end(&self, span: SpanData) {
        if self.fate.admit() {
            self.next.on_end(span);
        } else {
            self.fate.lost("dropped", 1, &"the queue is full");
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

/// Notes what became of each batch. The SDK would log every one that fails.
#[derive(Debug)]
pub(super) struct Watched {
    pub next: opentelemetry_otlp::SpanExporter,
    pub fate: Arc<Fate>,
}

impl SpanExporter for Watched {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = batch.len();
        let result = self.next.export(batch).await;
        self.fate.waiting.fetch_sub(spans, Ordering::Relaxed);
        match &result {
            Ok(()) => self.fate.count("sent", spans),
            Err(error) => self.fate.lost("failed", spans, error),
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

/// The HTTP client, on the runtime of the service: the SDK exports from a thread of its own, which has
/// none.
#[derive(Debug)]
pub(super) struct OnRuntime {
    client: reqwest::Client,
    runtime: Handle,
}

impl OnRuntime {
    /// On the runtime from which it is called.
    pub fn new(timeout: Duration) -> Result<Self, reqwest::Error> {
        let client = reqwest::Client::builder()
            .user_agent(concat!("order-service/", env!("CARGO_PKG_VERSION")))
            .timeout(timeout)
            .redirect(reqwest::redirect::Policy::none())
            // As to the peers: a stray HTTP_PROXY must not see what is sent.
            .no_proxy()
            .build()?;
        Ok(Self {
            client,
            runtime: Handle::current(),
        })
    }
}

#[async_trait]
impl HttpClient for OnRuntime {
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
        let fate = Fate::default();
        let counter =
            IntCounterVec::new(prometheus::Opts::new("spans", "Spans."), &["result"]).unwrap();
        fate.count_in(counter.clone());
        assert!((0..QUEUE).all(|_| fate.admit()));
        assert!(!fate.admit());
        for _ in 0..3 {
            fate.lost("dropped", 1, &"full");
        }
        assert_eq!(counter.with_label_values(&["dropped"]).get(), 3);
        let warned = fate.warned.lock().unwrap();
        assert_eq!(warned.1, 2, "the others wait for the next warning");
    }
}
