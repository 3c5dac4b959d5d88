//! Runs `pgbench` with the statements of the service.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use tokio::process::Command;

use crate::Result;
use crate::environment::Environment;
use crate::stats::Sample;

/// Number of connections.
pub const CLIENTS: usize = 8;

/// Runs a script for this long, with prepared statements and the plan cache mode `plans`.
pub async fn run(
    environment: &Environment,
    database: &str,
    script: &str,
    plans: &str,
    time: Duration,
) -> Result<Sample> {
    let folder = environment.folder.join("pgbench");
    drop(fs::remove_dir_all(&folder));
    fs::create_dir(&folder)?;
    let file = folder.join("script.sql");
    fs::write(&file, script)?;
    let output = Command::new(environment.programs.join("pgbench"))
        .args(["--no-vacuum", "--protocol=prepared", "--jobs=2", "--log"])
        .arg(format!("--client={CLIENTS}"))
        .arg(format!("--time={}", time.as_secs()))
        .arg("--log-prefix=log")
        .arg("--file")
        .arg(&file)
        .arg(environment.url(database))
        .current_dir(&folder)
        .env("PGOPTIONS", format!("-c plan_cache_mode={plans}"))
        .output()
        .await
        .map_err(|error| format!("pgbench cannot be run: {error}"))?;
    if !output.status.success() {
        let told = String::from_utf8_lossy(&output.stderr);
        return Err(format!("pgbench failed: {told}\n{script}").into());
    }
    let mut latencies = Vec::new();
    for log in logs(&folder)? {
        for line in fs::read_to_string(log)?.lines() {
            // client, number, microseconds, …
            let micros = line
                .split(' ')
                .nth(2)
                .ok_or("an odd line in pgbench's log")?;
            latencies.push(micros.parse()?);
        }
    }
    Ok(Sample::new(latencies, time))
}

fn logs(folder: &PathBuf) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with("log.") {
            found.push(entry.path());
        }
    }
    Ok(found)
}
