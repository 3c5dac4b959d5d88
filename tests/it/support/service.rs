//! The real binary in its own process, which a test can kill.

use std::os::unix::process::ExitStatusExt as _;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use order_service::config::Environment;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;

/// The binary of this test run.
pub const BINARY: &str = env!("CARGO_BIN_EXE_order-service");

/// How long anything that must happen may take on a busy machine.
const EVENTUALLY_WITHIN: Duration = Duration::from_secs(120);

/// A running `order-service serve`, killed on drop.
pub struct Service {
    pub base: String,
    child: Child,
    log: Arc<Mutex<Vec<Value>>>,
    reading: JoinHandle<()>,
}

impl Service {
    /// Starts it with these settings and waits until it listens.
    pub async fn start(environment: &Environment) -> Self {
        Self::start_with(environment, "").await
    }

    /// Starts it; it kills itself at this failpoint.
    pub async fn start_dying_at(environment: &Environment, point: &str) -> Self {
        Self::start_with(environment, &format!("{point}=panic")).await
    }

    async fn start_with(environment: &Environment, failpoints: &str) -> Self {
        let binary = std::env::var("TEST_BINARY").unwrap_or_else(|_| BINARY.to_owned());
        let mut child = Command::new(binary)
            .arg("serve")
            .current_dir(std::env::temp_dir())
            .env_clear()
            .env("RUST_LOG", "info")
            .envs(environment.given())
            .env("LOG_FORMAT", "json")
            .env("FAILPOINTS", failpoints)
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let base = loop {
            let line = lines
                .next_line()
                .await
                .unwrap()
                .expect("ended before it listened");
            let log: Value = serde_json::from_str(&line).expect(&line);
            if log["message"] == "listening" {
                break format!("http://{}", log["address"].as_str().unwrap());
            }
        };
        let log = Arc::<Mutex<Vec<Value>>>::default();
        let written = log.clone();
        // Reads on, because a full pipe would block the child.
        let reading = tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                let line = serde_json::from_str(&line).unwrap_or(Value::String(line));
                written.lock().unwrap().push(line);
            }
        });
        Self {
            base,
            child,
            log,
            reading,
        }
    }

    /// The log since it listens; complete once it has stopped.
    pub fn log(&self) -> Vec<Value> {
        self.log.lock().unwrap().clone()
    }

    /// Sends SIGTERM and returns the duration of the graceful shutdown.
    pub async fn stop(&mut self) -> Duration {
        let begin = Instant::now();
        self.signal("-TERM");
        let end = tokio::time::timeout(Duration::from_secs(60), self.child.wait()).await;
        assert!(end.expect("it does not end").unwrap().success());
        let took = begin.elapsed();
        (&mut self.reading).await.unwrap();
        took
    }

    /// The port that it listens on.
    pub fn port(&self) -> &str {
        self.base.rsplit(':').next().unwrap()
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.child.id().unwrap()
    }

    /// Sends SIGSTOP, which the process cannot notice.
    pub fn pause(&self) {
        self.signal("-STOP");
    }

    /// Sends SIGCONT.
    pub fn resume(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let pid = self.pid().to_string();
        let sent = std::process::Command::new("kill")
            .args([signal, &pid])
            .status();
        assert!(sent.unwrap().success());
    }

    /// Waits for its end. Returns whether it was killed by SIGKILL.
    pub async fn was_killed(&mut self) -> bool {
        const SIGKILL: i32 = 9;
        let end = tokio::time::timeout(Duration::from_secs(30), self.child.wait()).await;
        end.is_ok_and(|status| status.unwrap().signal() == Some(SIGKILL))
    }

    /// Sends SIGKILL.
    pub async fn kill(&mut self) {
        self.child.kill().await.unwrap();
    }
}

/// Polls until the closure returns a value; fails after [`EVENTUALLY_WITHIN`].
pub async fn eventually<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + EVENTUALLY_WITHIN;
    loop {
        if let Some(value) = ask().await {
            return value;
        }
        assert!(
            Instant::now() < deadline,
            "not within {EVENTUALLY_WITHIN:?}: {what}"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
