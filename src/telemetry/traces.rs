//! Traces from their begin to their end: what sends them, and what is sent before the process ends.

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
use super::export::{Bounded, Fate, OnRuntime, QUEUE, Watched};
use super::sampling::{Ids, Sampling};

/// How many spans are sent at a time.
const BATCH: usize = 512;
/// How long spans wait for others before they are sent.
const DELAY: Duration = Duration::from_secs(2);
/// How long the collector may take for one batch, its repeats included.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Where traces go, and which.
#[derive(Clone)]
pub struct TracesSettings {
    /// The collector; `/v1/traces` comes behind it.
    pub endpoint: Url,
    /// What is sent along, such as what the collector knows its senders by.
    pub headers: Vec<(String, SecretString)>,
    /// What the service is called.
    pub service_name: String,
    /// Which traces are kept.
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

/// What sends the traces of this process.
#[derive(Debug)]
pub struct Traces {
    provider: SdkTracerProvider,
    fate: Arc<Fate>,
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
            .with_http_client(OnRuntime::new(TIMEOUT)?)
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(endpoint)
            .with_headers(headers.collect())
            .with_timeout(TIMEOUT)
            .build()?;
        let fate = Arc::<Fate>::default();
        let exporter = Watched {
            next: exporter,
            fate: fate.clone(),
        };
        let config = BatchConfigBuilder::default()
            .with_max_queue_size(QUEUE)
            .with_max_export_batch_size(BATCH)
            .with_scheduled_delay(DELAY)
            .build();
        let provider = SdkTracerProvider::builder()
            .with_sampler(settings.sampling)
            .with_id_generator(Ids::default())
            .with_span_processor(Bounded {
                next: BatchSpanProcessor::new(exporter, config),
                fate: fate.clone(),
            })
            .with_resource(resource(settings.service_name))
            .build();
        Ok(Self { provider, fate })
    }

    /// What makes spans of `tracing` spans of a trace: those of the service, and no events, which are
    /// for the log.
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
            // The tree is that of `tracing`; nobody uses another one.
            .with_context_activation(false)
            .with_location(false)
            .with_target(false)
            .with_threads(false)
            .with_tracked_inactivity(false)
            .with_filter(own)
    }

    /// Counts from now on what becomes of spans, by `result`: `sent`, `failed` or `dropped`.
    pub fn count_in(&self, counter: IntCounterVec) {
        self.fate.count_in(counter);
    }

    /// Sends what waits, within this time. What is not sent by then is lost.
    pub async fn flush(self, within: Duration) {
        let within = within.min(TIMEOUT);
        let provider = self.provider;
        // It waits for the thread that sends, and would keep the runtime from sending.
        let flushing = tokio::task::spawn_blocking(move || provider.shutdown_with_timeout(within));
        let flushed = flushing.await.map(|result| result.is_ok());
        if !flushed.unwrap_or(false) {
            tracing::warn!("the last traces are lost: the collector did not take them in time");
        }
    }
}

/// Who sends: the standard's variable for further attributes counts too.
fn resource(service_name: String) -> Resource {
    Resource::builder()
        .with_service_name(service_name)
        .with_attributes([
            KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
            KeyValue::new("service.instance.id", Uuid::new_v4().to_string()),
        ])
        .build()
}
