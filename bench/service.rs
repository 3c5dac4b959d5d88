//! The service as a separate process.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::Stdio;
use std::time::Duration;

use order_service::auth::{TokenClaims, sign};
use order_service::clock;
use secrecy::SecretString;
use serde_json::json;
use tokio::process::{Child, Command};

use crate::Result;
use crate::environment::Environment;
use crate::load::{Call, Client};

/// The unit of CPU time in `/proc`, the same on every Linux.
const TICKS_PER_SECOND: f64 = 100.0;
const SECRET: &str = "a-secret-for-benchmarks-of-at-least-32-bytes";
/// Timeout of a start.
const READY_WITHIN: Duration = Duration::from_secs(20);

/// A running `order-service serve` on a copy of the orders; killed on drop.
pub struct Service {
    /// The address of the service.
    pub address: SocketAddr,
    child: Child,
}

/// Resources used by a process.
#[derive(Clone, Copy, Debug)]
pub struct Usage {
    /// CPU time, in seconds.
    pub cpu_s: f64,
    /// Resident memory, in bytes.
    pub resident: f64,
}

impl Service {
    /// Starts the service on a database and waits until it is ready. The log file has the database's name.
    pub async fn start(
        environment: &Environment,
        database: &str,
        settings: &[(&str, &str)],
    ) -> Result<Self> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()?));
        let log = File::create(environment.folder.join(format!("{database}.log")))?;
        let child = Command::new(&environment.service)
            .arg("serve")
            .current_dir(&environment.folder)
            .env_clear()
            .env("DATABASE_URL", environment.url(database))
            .env("SECRET_KEY", SECRET)
            .env("HOST", "127.0.0.1")
            .env("PORT", address.port().to_string())
            .env("LOG_FORMAT", "json")
            .env("RECONCILE_EVERY_HOURS", "0")
            // One token acts for all customers.
            .env("RATE_LIMIT_PER_S", "0")
            .envs(settings.iter().copied())
            .stdout(Stdio::null())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()?;
        let service = Self { address, child };
        tokio::time::timeout(READY_WITHIN, service.ready())
            .await
            .map_err(|_| format!("the service is not ready: see {database}.log"))?;
        Ok(service)
    }

    /// Stops the service gracefully.
    pub async fn stop(mut self) -> Result {
        let pid = self.child.id().ok_or("the service has ended by itself")?;
        Command::new("kill").arg(pid.to_string()).status().await?;
        self.child.wait().await?;
        Ok(())
    }

    /// The resources used so far; `None` without `/proc`.
    pub fn usage(&self) -> Result<Option<Usage>> {
        let pid = self.child.id().ok_or("the service has ended by itself")?;
        let (Ok(stat), Ok(status)) = (
            fs::read_to_string(format!("/proc/{pid}/stat")),
            fs::read_to_string(format!("/proc/{pid}/status")),
        ) else {
            return Ok(None);
        };
        // Fields 14 and 15 of proc(5). Field 2 is in parentheses and may contain spaces.
        let (_, fields) = stat.rsplit_once(')').ok_or("an odd /proc/…/stat")?;
        let mut ticks = 0.0;
        for field in fields.split_whitespace().skip(11).take(2) {
            ticks += field.parse::<f64>()?;
        }
        let resident = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:")?.strip_suffix(" kB"))
            .ok_or("an odd /proc/…/status")?;
        Ok(Some(Usage {
            cpu_s: ticks / TICKS_PER_SECOND,
            resident: resident.trim().parse::<f64>()? * 1024.0,
        }))
    }

    async fn ready(&self) {
        while self.get("/health/ready/").await.is_err() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn get(&self, path: &str) -> Result<String> {
        let mut client = Client::connect(self.address, "").await?;
        let body = client.send(&Call::get(path)).await?;
        Ok(String::from_utf8_lossy(&body).into_owned())
    }
}

/// A staff token.
pub fn staff() -> Result<String> {
    let claims = TokenClaims {
        exp: clock::now().unix_timestamp() + 86_400,
        user_id: Some(json!(1)),
        is_staff: Some(json!(true)),
        ..TokenClaims::default()
    };
    Ok(sign(&claims, &SecretString::from(SECRET))?)
}

fn free_port() -> Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?
        .local_addr()?
        .port())
}
