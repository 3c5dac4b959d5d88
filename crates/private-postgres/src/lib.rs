//! A private PostgreSQL server for development and tests.
//!
//! It needs no privileges and no set-up. It finds installed binaries or fetches them, creates its own data
//! folder, listens only on loopback with a random password, and stops when the process that started it
//! ends, even if that process is killed.

pub mod binaries;
mod claim;
mod cluster;
mod error;
mod fetch;
mod layout;
mod progress;
mod run_as;
mod server;

use std::path::PathBuf;

use secrecy::{ExposeSecret, SecretString};
use sqlx::postgres::{PgConnectOptions, PgSslMode};

use binaries::{Binaries, Search};
use claim::Claim;
use layout::Layout;
use run_as::RunAs;
use server::{Launch, Server};

pub use error::Error;

/// The superuser that `initdb` creates.
const SUPERUSER: &str = "postgres";

/// Settings of a server.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The data folder, created if missing. The log and the lock lie beside it, with the suffixes `.log` and
    /// `.lock`.
    ///
    /// For root without user namespaces, `/var/tmp/order-service-<hash of this path>` replaces it, because an
    /// unprivileged account must be able to reach it.
    pub data_dir: PathBuf,
    /// The port on 127.0.0.1; `None` selects a free one. A server that already runs on the data keeps its
    /// port.
    pub port: Option<u16>,
    /// Whether committed data survives a crash of the machine.
    pub durability: Durability,
    /// The limit of concurrent connections.
    pub max_connections: u16,
    /// Whether to remove existing data first.
    pub fresh: bool,
}

/// Whether committed data survives a crash of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// Commits are flushed to disk.
    Durable,
    /// Nothing is flushed: fast, and lost when the machine crashes.
    Throwaway,
}

/// A running server. Dropping it shuts the server down in the background; [`Postgres::stop`] also waits.
#[derive(Debug)]
pub struct Postgres {
    port: u16,
    password: SecretString,
    /// `None` if another process owns the server.
    server: Option<Server>,
}

impl Postgres {
    /// Starts a server and returns when it accepts connections. Joins a server that already runs on the data.
    /// `progress` receives a line per second during long steps.
    pub async fn start(settings: Settings, progress: impl Fn(&str)) -> Result<Self, Error> {
        let run_as = RunAs::choose().await?;
        let layout = Layout::prepare(&settings.data_dir, &run_as)?;
        let lock = match claim::claim(&layout, settings.fresh, &progress).await? {
            Claim::Running { port, password } => {
                return Ok(Self {
                    port,
                    password,
                    server: None,
                });
            }
            Claim::Owned(lock) => lock,
        };
        // Checked first, because fetching binaries may take minutes.
        server::free_port(settings.port)?;
        if settings.fresh {
            cluster::remove(&layout)?;
        }
        let search = Search::from_env(&run_as);
        let wanted = cluster::version(&layout)?;
        let binaries = Binaries::find(&search, wanted, &progress).await?;
        let durability = settings.durability;
        let password = cluster::prepare(&layout, &binaries, &run_as, durability, &progress).await?;
        let launch = Launch {
            run_as: &run_as,
            binaries: &binaries,
            layout: &layout,
            settings: &settings,
            password: &password,
        };
        let (server, port) = launch.run(lock, &progress).await?;
        Ok(Self {
            port,
            password,
            server: Some(server),
        })
    }

    /// Connection options of `database` for the superuser `postgres`.
    pub fn options(&self, database: &str) -> PgConnectOptions {
        connect_options(self.port, &self.password).database(database)
    }

    /// The URL of `database` for the superuser. It contains the password, so it must not be logged.
    pub fn url(&self, database: &str) -> String {
        let password = self.password.expose_secret();
        let port = self.port;
        format!("postgres://{SUPERUSER}:{password}@127.0.0.1:{port}/{database}")
    }

    /// The port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Disconnects all clients, shuts the server down and waits for its exit. The server of another process
    /// keeps running.
    pub async fn stop(self) -> Result<(), Error> {
        match self.server {
            Some(server) => server.stop().await,
            None => Ok(()),
        }
    }
}

/// No TLS, because the server listens only on loopback. No passfile, because its entries are for others.
fn connect_options(port: u16, password: &SecretString) -> PgConnectOptions {
    PgConnectOptions::new_without_pgpass()
        .host("127.0.0.1")
        .port(port)
        .username(SUPERUSER)
        .password(password.expose_secret())
        .database(SUPERUSER)
        .ssl_mode(PgSslMode::Disable)
}
