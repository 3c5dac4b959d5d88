//! Records the SQL statements of a request from the database's log, so that pgbench runs the statements of
//! the current version of the service.

use std::fs;
use std::time::Duration;

use serde_json::Value;

use crate::Result;
use crate::environment::{Environment, run};
use crate::load::{Call, Client};
use crate::service::{Service, staff};

/// Time for the service to finish the work that it finds at its start.
const STARTUP: Duration = Duration::from_secs(3);
/// How long to record the statements of background tasks.
const BACKGROUND_SAMPLE: Duration = Duration::from_secs(1);
/// Maximum delay between a statement and its log entry.
const LOG_DELAY: Duration = Duration::from_millis(300);

/// Records the statements of one request of each kind.
pub async fn statements(
    environment: &Environment,
    database: &str,
    settings: &[(&str, &str)],
    calls: &[Call],
) -> Result<Vec<Vec<String>>> {
    let mut conn = environment.connect("postgres").await?;
    for setting in [
        "log_min_duration_statement = 0",
        "client_min_messages = log",
    ] {
        let sql = format!("alter database {database} set {setting}");
        run(&mut conn, sql).await?;
    }
    let logged = record(environment, database, settings, calls).await;
    let sql = format!("alter database {database} reset all");
    run(&mut conn, sql).await?;
    logged
}

async fn record(
    environment: &Environment,
    database: &str,
    settings: &[(&str, &str)],
    calls: &[Call],
) -> Result<Vec<Vec<String>>> {
    let mut settings = settings.to_vec();
    settings.push(("RUST_LOG", "sqlx::postgres::notice=trace"));
    let service = Service::start(environment, database, &settings).await?;
    let log = environment.folder.join(format!("{database}.log"));
    let logged = || Ok::<_, std::io::Error>(read(&fs::read_to_string(&log)?));
    tokio::time::sleep(STARTUP).await;
    let before = logged()?.len();
    tokio::time::sleep(BACKGROUND_SAMPLE).await;
    let background = logged()?.split_off(before);
    let mut client = Client::connect(service.address, &staff()?).await?;
    let mut all = Vec::new();
    for call in calls {
        let before = logged()?.len();
        client.send(call).await?;
        tokio::time::sleep(LOG_DELAY).await;
        let mut statements = logged()?.split_off(before);
        statements.retain(|sql| !background.contains(sql));
        all.push(statements);
    }
    service.stop().await?;
    Ok(all)
}

/// Extracts the statements of a log, in order.
fn read(log: &str) -> Vec<String> {
    let lines = log.lines().filter_map(|line| {
        let line: Value = serde_json::from_str(line).ok()?;
        let message = line["message"].as_str()?;
        // duration: 0.1 ms  execute sqlx_s_1: select …
        let (_, rest) = message.split_once(" execute ")?;
        let (_, sql) = rest.split_once(": ")?;
        Some(sql.trim().to_owned())
    });
    lines.collect()
}
