//! `order-service serve`.

use std::time::Instant;

use crate::app::App;
use crate::config::{self, Config};
use crate::telemetry;

use super::{Environment, Result};

pub async fn run(environment: &Environment) -> Result {
    let traces = telemetry::init(environment.read(config::telemetry)?)?;
    let config = environment.read(Config::read)?;
    let time_to_stop = config.shutdown_drain + config.shutdown_grace;
    let app = App::start(config)?;
    if let Some(traces) = &traces {
        traces.count_in(app.metrics().trace_spans.clone());
    }
    tracing::info!(address = %app.address(), version = env!("CARGO_PKG_VERSION"), "listening");
    wait_for_stop().await?;
    tracing::info!("stopping");
    let stopping = Instant::now();
    app.stop().await;
    if let Some(traces) = traces {
        let left = time_to_stop.saturating_sub(stopping.elapsed());
        traces.flush(left).await;
    }
    Ok(())
}

/// Returns when the process receives SIGINT (Ctrl-C) or SIGTERM.
pub async fn wait_for_stop() -> Result {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        pressed = tokio::signal::ctrl_c() => pressed?,
        _ = terminate.recv() => {}
    }
    Ok(())
}
