//! Logs: one line a request, JSON or for people, filtered by `RUST_LOG`.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::SubscriberInitExt as _;

/// How logs look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object a line, for machines.
    Json,
    /// One coloured line, for people.
    #[default]
    Pretty,
}

/// How logs are written.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What is logged, in the language of `RUST_LOG`.
    pub filter: String,
    /// How it looks.
    pub format: LogFormat,
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
}

/// Sends this process's logs to standard error; standard output is for answers.
pub fn init(settings: &Settings) -> Result<(), Error> {
    let filter = EnvFilter::try_new(&settings.filter)?;
    let logs = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    match settings.format {
        LogFormat::Json => logs.json().flatten_event(true).finish().try_init()?,
        LogFormat::Pretty => {
            use std::io::IsTerminal as _;
            logs.with_ansi(std::io::stderr().is_terminal())
                .with_target(false)
                .finish()
                .try_init()?;
        }
    }
    Ok(())
}
