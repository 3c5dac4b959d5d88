//! Logs, filtered by `RUST_LOG`, and traces, exported by OTLP if a collector is configured. Both are set up
//! once per process, as `tracing` requires.

use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer, Registry};

mod export;
mod sampling;
mod spans;
mod traces;

pub use sampling::Sampling;
pub use spans::{
    IncomingRequest, continue_trace, record_error, record_status, start_client_span,
    start_saga_span, start_server_span, trace_id,
};
pub use traces::{Traces, TracesSettings};

/// The format of logs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object per line.
    Json,
    /// One coloured line, for people.
    #[default]
    Pretty,
}

/// The settings of logs and traces.
#[derive(Clone, Debug)]
pub struct TelemetrySettings {
    /// The filter of logs, in the syntax of `RUST_LOG`.
    pub filter: String,
    /// The format of logs.
    pub format: LogFormat,
    /// The settings of traces, if a collector is configured.
    pub traces: Option<TracesSettings>,
}

/// Why logs and traces cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// `RUST_LOG` has a syntax error.
    #[error("RUST_LOG cannot be read")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    /// A subscriber is set up already.
    #[error("logging is set up already")]
    Twice(#[from] tracing_subscriber::util::TryInitError),
    /// The OTLP exporter cannot be built.
    #[error("traces cannot be sent")]
    Exporter(#[from] opentelemetry_otlp::ExporterBuildError),
    /// The HTTP client of the exporter cannot be built.
    #[error("the HTTP client for traces cannot be built")]
    Client(#[from] reqwest::Error),
}

/// Writes logs to standard error, because standard output is for the results of commands, and exports traces
/// to the collector, if one is configured.
pub fn init(settings: TelemetrySettings) -> Result<Option<Traces>, Error> {
    let filter = EnvFilter::try_new(&settings.filter)?;
    let Some(traces) = settings.traces else {
        let logs = logs(settings.format);
        tracing_subscriber::registry()
            .with(filter)
            .with(logs)
            .try_init()?;
        return Ok(None);
    };
    let traces = Traces::start(traces)?;
    // The filter applies to logs only, so that it removes no spans from traces.
    tracing_subscriber::registry()
        .with(logs::<Registry>(settings.format).with_filter(filter))
        .with(traces.layer())
        .try_init()?;
    spans::turn_on();
    Ok(Some(traces))
}

fn logs<S>(format: LogFormat) -> Box<dyn Layer<S> + Send + Sync>
where
    S: tracing::Subscriber + for<'a> LookupSpan<'a>,
{
    let logs = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    match format {
        LogFormat::Json => Box::new(logs.json().flatten_event(true)),
        LogFormat::Pretty => {
            use std::io::IsTerminal as _;
            let ansi = std::io::stderr().is_terminal();
            Box::new(logs.with_ansi(ansi).with_target(false))
        }
    }
}
