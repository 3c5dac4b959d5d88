//! A private PostgreSQL server, for a developer's machine and for tests.
//!
//! Needs no rights and no set-up: it finds installed binaries or fetches them, makes a data
//! folder of its own, listens on loopback alone behind a random password, and ends when the
//! process that started it ends, however that comes about.

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

/// How to start a server, and on which data.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The data folder, made when missing. Log and lock lie beside it, with the same name and
    /// `.log` or `.lock` at the end.
    ///
    /// As root where user namespaces are refused, `/var/tmp/order-service-<hash of this path>`
    /// takes its place, because an unprivileged account must be able to reach it.
    pub data_dir: PathBuf,
    /// The port on 127.0.0.1; `None` picks a free one. A server that already runs on the data
    /// keeps its port.
    pub port: Option<u16>,
    /// Whether the data outlives a crash of the machine.
    pub durability: Durability,
    /// The most connections at once.
    pub max_connections: u16,
    /// Removes existing data first.
    pub fresh: bool,
}

/// Whether the data outlives a crash of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// What is committed is on disk.
    Durable,
    /// Nothing is waited for: fast, and lost when the machine crashes.
    Throwaway,
}

/// A running server. Dropped, it shuts down by itself in the background; [`Postgres::stop`] waits
/// for that.
#[derive(Debug)]
pub struct Postgres {
    port: u16,
    password: SecretString,
    /// `None` where another process runs the server.
    server: Option<Server>,
}

impl Postgres {
    /// Starts a server and returns once it answers; where one runs on the data already, uses
    /// that. `progress` gets a line each second while something takes longer than that.
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
            Claim::Ours(lock) => lock,
        };
        // Before minutes may go into fetching binaries.
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

    /// Connects to `database` as the superuser `postgres`.
    pub fn options(&self, database: &str) -> PgConnectOptions {
        connect_options(self.port, &self.password).database(database)
    }

    /// The URL of `database` for the superuser, password included: for those who ask for it, not
    /// for logs.
    pub fn url(&self, database: &str) -> String {
        let password = self.password.expose_secret();
        let port = self.port;
        format!("postgres://{SUPERUSER}:{password}@127.0.0.1:{port}/{database}")
    }

    /// The port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Disconnects all clients, shuts down and waits for the end. A server that another process
    /// runs is left alone.
    pub async fn stop(self) -> Result<(), Error> {
        match self.server {
            Some(server) => server.stop().await,
            None => Ok(()),
        }
    }
}

/// No TLS: the server is on loopback and has none. No passfile: it is not meant for this server.
fn connect_options(port: u16, password: &SecretString) -> PgConnectOptions {
    PgConnectOptions::new_without_pgpass()
        .host("127.0.0.1")
        .port(port)
        .username(SUPERUSER)
        .password(password.expose_secret())
        .database(SUPERUSER)
        .ssl_mode(PgSslMode::Disable)
}
