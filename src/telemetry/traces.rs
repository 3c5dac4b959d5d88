//! The pipeline that exports traces, and its flush at shutdown.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{BatchConfigBuilder, BatchSpanProcessor, SdkTracerProvider};
use prometheus::IntCounterVec;
use secrecy::{ExposeSecret as _, SecretString};
use tracing::Subscriber;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{LevelFilter, filter_fn};
use tracing_subscriber::registry::LookupSpan;
use url::Url;
use uuid::Uuid;

use super::Error;
use super::export::{BoundedProcessor, CountingExporter, QUEUE, RuntimeHttpClient, SpanCounters};
use super::sampling::{Sampling, TraceIds};

/// The size of a batch, in spans.
const BATCH: usize = 512;
/// How long spans wait for a batch to fill.
const DELAY: Duration = Duration::from_secs(2);
/// The timeout of exporting a batch, retries included.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The settings of traces.
#[derive(Clone)]
pub struct TracesSettings {
    /// The base URL of the collector, without `/v1/traces`.
    pub endpoint: Url,
    /// Headers of the export requests, such as credentials.
    pub headers: Vec<(String, SecretString)>,
    /// The attribute `service.name`.
    pub service_name: String,
    /// The sampler.
    pub sampling: Sampling,
}

impl fmt::Debug for TracesSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TracesSettings")
            .field("service_name", &self.service_name)
            .field("sampling", &self.sampling)
            .finish_non_exhaustive()
    }
}

/// The trace exporter of this process.
#[derive(Debug)]
pub struct Traces {
    provider: SdkTracerProvider,
    counters: Arc<SpanCounters>,
}

impl Traces {
    pub(super) fn start(settings: TracesSettings) -> Result<Self, Error> {
        let mut endpoint = settings.endpoint;
        let path = format!("{}/v1/traces", endpoint.path().trim_end_matches('/'));
        endpoint.set_path(&path);
        let headers = settings
            .headers
            .iter()
            .map(|(name, value)| (name.clone(), value.expose_secret().to_owned()));
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(RuntimeHttpClient::new(TIMEOUT)?)
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(endpoint)
            .with_headers(headers.collect())
            .with_timeout(TIMEOUT)
            .build()?;
        let counters = Arc::<SpanCounters>::default();
        let exporter = CountingExporter {
            next: exporter,
            counters: counters.clone(),
        };
        let config = BatchConfigBuilder::default()
            .with_max_queue_size(QUEUE)
            .with_max_export_batch_size(BATCH)
            .with_scheduled_delay(DELAY)
            .build();
        let provider = SdkTracerProvider::builder()
            .with_sampler(settings.sampling)
            .with_id_generator(TraceIds::default())
            .with_span_processor(BoundedProcessor {
                next: BatchSpanProcessor::new(exporter, config),
                counters: counters.clone(),
            })
            .with_resource(resource(settings.service_name))
            .build();
        Ok(Self { provider, counters })
    }

    /// The layer that exports `tracing` spans of this crate. Events go to the log only.
    pub(super) fn layer<S>(&self) -> impl Layer<S> + use<S>
    where
        S: Subscriber + for<'a> LookupSpan<'a> + Send + Sync,
    {
        let own = filter_fn(|metadata| {
            metadata.is_span() && metadata.target().starts_with(env!("CARGO_CRATE_NAME"))
        });
        let own = own.with_max_level_hint(LevelFilter::INFO);
        tracing_opentelemetry::layer()
            .with_tracer(self.provider.tracer("order-service"))
            // Parents come from `tracing`, never from the OpenTelemetry context.
            .with_context_activation(false)
            .with_location(false)
            .with_target(false)
            .with_threads(false)
            .with_tracked_inactivity(false)
            .with_filter(own)
    }

    /// Counts spans from now on, by `result`: `sent`, `failed` or `dropped`.
    pub fn count_in(&self, counter: IntCounterVec) {
        self.counters.count_in(counter);
    }

    /// Sends the remaining spans within this time, and drops the rest.
    pub async fn flush(self, within: Duration) {
        let within = within.min(TIMEOUT);
        let provider = self.provider;
        // The call blocks until the export thread is done, which needs this runtime.
        let flushing = tokio::task::spawn_blocking(move || provider.shutdown_with_timeout(within));
        let flushed = flushing.await.map(|result| result.is_ok());
        if !flushed.unwrap_or(false) {
            tracing::warn!("the last traces are lost: the collector did not take them in time");
        }
    }
}

/// The attributes of this process, and those of `OTEL_RESOURCE_ATTRIBUTES`.
fn resource(service_name: String) -> Resource {
    Resource::builder()
        .with_service_name(service_name)
        .with_attributes([
            KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
            KeyValue::new("service.instance.id", Uuid::new_v4().to_string()),
        ])
        .build()
}
