//! `order-service serve`.

use crate::app::App;
use crate::config::Config;

use super::{Environment, Result, init_logs};

pub async fn run(environment: &Environment) -> Result {
    init_logs(environment)?;
    let app = App::start(environment.read(Config::read)?).await?;
    tracing::info!(address = %app.address(), version = env!("CARGO_PKG_VERSION"), "listening");
    wait_for_stop().await?;
    tracing::info!("stopping");
    app.stop().await;
    Ok(())
}

/// Returns when the process is asked to stop, by Ctrl-C or by SIGTERM.
pub async fn wait_for_stop() -> Result {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        pressed = tokio::signal::ctrl_c() => pressed?,
        _ = terminate.recv() => {}
    }
    Ok(())
}
