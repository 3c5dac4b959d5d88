//! A PgBouncer for one test, in transaction mode.

use std::fs::{self, Permissions};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;

use sqlx::postgres::{PgConnectOptions, PgSslMode};
use sqlx::{ConnectOptions as _, Connection as _};
use tempfile::TempDir;
use tokio::process::{Child, Command};
use url::Url;

use super::database::TestDatabase;
use super::service::eventually;

/// Debian's path; elsewhere it is in the `PATH`.
const PLACES: [&str; 2] = ["/usr/sbin/pgbouncer", "pgbouncer"];

/// A running PgBouncer, killed on drop.
pub struct PgBouncer {
    options: PgConnectOptions,
    _child: Child,
    _folder: TempDir,
}

impl PgBouncer {
    /// Starts one in front of a database, with so few server connections that clients share them.
    /// Prints a message and returns `None` if PgBouncer is not installed.
    pub async fn start(database: &TestDatabase, server_connections: u32) -> Option<Self> {
        let mut found = None;
        for place in PLACES {
            let version = Command::new(place).arg("--version").output().await;
            if version.is_ok_and(|output| output.status.success()) {
                found = Some(place);
            }
        }
        let Some(program) = found else {
            eprintln!("NOT TESTED: pgbouncer is not installed (apt-get install pgbouncer)");
            return None;
        };
        let folder = tempfile::tempdir().unwrap();
        let port = free_port();
        let config = folder.path().join("pgbouncer.ini");
        fs::write(&config, settings(database, port, server_connections)).unwrap();
        let mut command = Command::new(program);
        // It refuses to run as root and switches to another account.
        if is_root() {
            for (path, mode) in [(folder.path(), 0o755), (&config, 0o644)] {
                fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
            }
            command.args(["-u", "nobody"]);
        }
        let child = command
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let options = database
            .options
            .clone()
            .host("127.0.0.1")
            .port(port)
            .ssl_mode(PgSslMode::Disable)
            .extra_float_digits(None);
        eventually("pgbouncer answers", async || {
            let connection = options.connect().await.ok()?;
            connection.close().await.ok()
        })
        .await;
        Some(Self {
            options,
            _child: child,
            _folder: folder,
        })
    }

    /// The URL of the database through PgBouncer.
    pub fn url(&self) -> String {
        self.options.to_url_lossy().to_string()
    }
}

fn settings(database: &TestDatabase, port: u16, server_connections: u32) -> String {
    let url = Url::parse(&database.url()).unwrap();
    let (host, server_port) = (database.options.get_host(), database.options.get_port());
    let (name, user) = (&database.name, url.username());
    let password = url.password().unwrap_or_default();
    format!(
        "[databases]\n\
         {name} = host={host} port={server_port} dbname={name} user={user} password={password}\n\
         [pgbouncer]\n\
         listen_addr = 127.0.0.1\n\
         listen_port = {port}\n\
         unix_socket_dir =\n\
         auth_type = any\n\
         pool_mode = transaction\n\
         default_pool_size = {server_connections}\n"
    )
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

fn is_root() -> bool {
    let id = std::process::Command::new("id").arg("-u").output().unwrap();
    id.stdout.trim_ascii() == b"0"
}
