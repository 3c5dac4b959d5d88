//! Logs, one line a request, JSON or for people, filtered by `RUST_LOG`; and traces, sent by OTLP where
//! a collector is named. Both are of the process, as `tracing` is.

use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer, Registry};

mod export;
mod sampling;
mod spans;
mod traces;

pub use sampling::Sampling;
pub use spans::{Incoming, answered, call, continue_trace, fulfil, serve, trace_id, went_wrong};
pub use traces::{Traces, TracesSettings};

/// How logs look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object a line, for machines.
    Json,
    /// One coloured line, for people.
    #[default]
    Pretty,
}

/// How logs are written, and where traces go.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What is logged, in the language of `RUST_LOG`.
    pub filter: String,
    /// How it looks.
    pub format: LogFormat,
    /// Where traces go, if anywhere.
    pub traces: Option<TracesSettings>,
}

/// Why logs cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The filter cannot be read.
    #[error("RUST_LOG cannot be read")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    /// Somebody else has set logs up before.
    #[error("logging is set up already")]
    Twice(#[from] tracing_subscriber::util::TryInitError),
    /// The client that sends traces.
    #[error("traces cannot be sent")]
    Exporter(#[from] opentelemetry_otlp::ExporterBuildError),
    /// The HTTP client below it.
    #[error("the HTTP client for traces cannot be built")]
    Client(#[from] reqwest::Error),
}

/// Sends this process's logs to standard error, as standard output is for answers; and its traces to
/// the collector, if one is named.
pub fn init(settings: Settings) -> Result<Option<Traces>, Error> {
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
    // `RUST_LOG` is about logs: it takes no span from the traces.
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
