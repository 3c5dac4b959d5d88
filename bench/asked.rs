//! Which statements the service asks the database for one request: the database itself tells, so
//! that what pgbench runs is the same, whatever the service becomes.

use std::fs;
use std::time::Duration;

use serde_json::Value;

use crate::Result;
use crate::load::{Call, Client};
use crate::service::{Service, staff};
use crate::world::{World, run};

/// How long the service may take to be done with what it finds at its start.
const SETTLED: Duration = Duration::from_secs(3);
/// How long to listen to what it asks by itself again and again.
const BY_ITSELF: Duration = Duration::from_secs(1);
/// How long what was asked may take to be in the log.
const UNTIL_LOGGED: Duration = Duration::from_millis(300);

/// Hears what one request of each kind asks.
pub async fn statements(
    world: &World,
    database: &str,
    settings: &[(&str, &str)],
    calls: &[Call],
) -> Result<Vec<Vec<String>>> {
    let mut conn = world.connect("postgres").await?;
    for setting in [
        "log_min_duration_statement = 0",
        "client_min_messages = log",
    ] {
        let sql = format!("alter database {database} set {setting}");
        run(&mut conn, sql).await?;
    }
    let heard = listen(world, database, settings, calls).await;
    let sql = format!("alter database {database} reset all");
    run(&mut conn, sql).await?;
    heard
}

async fn listen(
    world: &World,
    database: &str,
    settings: &[(&str, &str)],
    calls: &[Call],
) -> Result<Vec<Vec<String>>> {
    let mut settings = settings.to_vec();
    settings.push(("RUST_LOG", "sqlx::postgres::notice=trace"));
    let service = Service::start(world, database, &settings).await?;
    let log = world.folder.join(format!("{database}.log"));
    let said = || Ok::<_, std::io::Error>(read(&fs::read_to_string(&log)?));
    tokio::time::sleep(SETTLED).await;
    let before = said()?.len();
    tokio::time::sleep(BY_ITSELF).await;
    let by_itself = said()?.split_off(before);
    let mut client = Client::connect(service.address, &staff()?).await?;
    let mut all = Vec::new();
    for call in calls {
        let before = said()?.len();
        client.ask(call).await?;
        tokio::time::sleep(UNTIL_LOGGED).await;
        let mut asked = said()?.split_off(before);
        asked.retain(|sql| !by_itself.contains(sql));
        all.push(asked);
    }
    service.stop().await?;
    Ok(all)
}

/// The statements of a log, in their order.
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
