//! The service in a process of its own.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::Stdio;
use std::time::Duration;

use order_service::auth::{Claims, sign};
use order_service::clock;
use secrecy::SecretString;
use serde_json::json;
use tokio::process::{Child, Command};

use crate::Result;
use crate::load::{Call, Client};
use crate::world::World;

/// In which `/proc` counts processor time; what every Linux has.
const TICKS_PER_SECOND: f64 = 100.0;
const SECRET: &str = "a-secret-for-benchmarks-of-at-least-32-bytes";
/// How long a service may take to be ready.
const READY_WITHIN: Duration = Duration::from_secs(20);

/// A running `order-service serve` of a copy of the orders; killed when it is dropped.
pub struct Service {
    /// Where it listens.
    pub address: SocketAddr,
    child: Child,
}

/// What its process has used so far.
#[derive(Clone, Copy, Debug)]
pub struct Usage {
    /// Processor time, in seconds.
    pub cpu_s: f64,
    /// Memory, in bytes.
    pub resident: f64,
}

impl Service {
    /// Starts it on a database and waits until it is ready. It logs to the file of that name.
    pub async fn start(world: &World, database: &str, settings: &[(&str, &str)]) -> Result<Self> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()?));
        let log = File::create(world.folder.join(format!("{database}.log")))?;
        let child = Command::new(&world.service)
            .arg("serve")
            .current_dir(&world.folder)
            .env_clear()
            .env("DATABASE_URL", world.url(database))
            .env("SECRET_KEY", SECRET)
            .env("HOST", "127.0.0.1")
            .env("PORT", address.port().to_string())
            .env("LOG_FORMAT", "json")
            .env("RECONCILE_EVERY_HOURS", "0")
            // One token stands for all customers.
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

    /// Stops it in good order.
    pub async fn stop(mut self) -> Result {
        let pid = self.child.id().ok_or("the service has ended by itself")?;
        Command::new("kill").arg(pid.to_string()).status().await?;
        self.child.wait().await?;
        Ok(())
    }

    /// What it has used so far; `None` where there is no `/proc` to tell.
    pub fn usage(&self) -> Result<Option<Usage>> {
        let pid = self.child.id().ok_or("the service has ended by itself")?;
        let (Ok(stat), Ok(status)) = (
            fs::read_to_string(format!("/proc/{pid}/stat")),
            fs::read_to_string(format!("/proc/{pid}/status")),
        ) else {
            return Ok(None);
        };
        // Fields 14 and 15 of proc(5), of which the second is in parentheses and may have spaces.
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
        let body = client.ask(&Call::get(path)).await?;
        Ok(String::from_utf8_lossy(&body).into_owned())
    }
}

/// A token of staff.
pub fn staff() -> Result<String> {
    let claims = Claims {
        exp: clock::now().unix_timestamp() + 86_400,
        user_id: Some(json!(1)),
        is_staff: Some(json!(true)),
        ..Claims::default()
    };
    Ok(sign(&claims, &SecretString::from(SECRET))?)
}

fn free_port() -> Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?
        .local_addr()?
        .port())
}
