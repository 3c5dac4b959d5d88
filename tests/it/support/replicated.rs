//! A primary and a streaming standby, for failover tests.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use private_postgres::{Durability, Postgres, Settings};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _};
use tempfile::TempDir;
use tokio::process::Command;

use super::database::create_tables;
use super::service::eventually;

/// Two servers with the service's tables. The standby confirms each commit (synchronous
/// replication) until [`Replicated::part`].
pub struct Replicated {
    primary: Option<Postgres>,
    standby: Option<Postgres>,
    standby_port: u16,
    folder: TempDir,
}

impl Replicated {
    /// Starts both servers.
    pub async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let server =
            |name, port| Postgres::start(settings(&folder.path().join(name), port), |_| {});
        let primary = server("primary", None).await.unwrap();
        prepare(&primary).await;
        let (port, options) = (primary.port(), primary.options("postgres"));
        // The data of a stopped server may be copied.
        primary.stop().await.unwrap();
        let standby = folder.path().join("standby");
        copy(&folder.path().join("primary"), &standby).await;
        follow(&standby, &primary_conninfo(&options, &standby)).unwrap();
        let primary = server("primary", Some(port)).await.unwrap();
        let standby = server("standby", None).await.unwrap();
        let servers = Self {
            primary: Some(primary),
            standby_port: standby.port(),
            standby: Some(standby),
            folder,
        };
        servers.wait_for_each_other().await;
        servers
    }

    /// The connection options of the primary.
    pub fn primary(&self) -> PgConnectOptions {
        self.primary.as_ref().unwrap().options("postgres")
    }

    /// The connection options of the standby, which is the primary after its promotion.
    pub fn standby(&self) -> PgConnectOptions {
        self.running_standby().options("postgres")
    }

    /// The URL of the standby.
    pub fn standby_url(&self) -> String {
        self.running_standby().url("postgres")
    }

    fn running_standby(&self) -> &Postgres {
        self.standby.as_ref().unwrap()
    }

    /// Stops the replication; the primary still waits for the standby.
    pub async fn cut_off(&self) {
        let standby = self.standby();
        run(&standby, "alter system set primary_conninfo = ''").await;
        run(&standby, "select pg_reload_conf()").await;
        self.eventually_replicates("select count(*) = 0 from pg_stat_replication")
            .await;
    }

    /// Stops the replication; the primary no longer waits for the standby.
    pub async fn part(&self) {
        let primary = self.primary();
        run(&primary, "alter system reset synchronous_standby_names").await;
        run(&primary, "select pg_reload_conf()").await;
        self.cut_off().await;
    }

    /// Kills the primary with SIGKILL.
    pub async fn kill_primary(&mut self) {
        crash(&self.folder.path().join("primary")).await;
        self.primary = None;
    }

    /// Kills the standby.
    pub async fn kill_standby(&mut self) {
        crash(&self.folder.path().join("standby")).await;
        self.standby = None;
    }

    /// Starts the standby again on its port.
    pub async fn start_standby(&mut self) {
        let data = self.folder.path().join("standby");
        let settings = settings(&data, Some(self.standby_port));
        self.standby = Some(Postgres::start(settings, |_| {}).await.unwrap());
    }

    /// Promotes the standby.
    pub async fn promote(&self) {
        run(&self.standby(), "select pg_promote()").await;
    }

    /// Stops the running servers.
    pub async fn stop(self) {
        if let Some(primary) = self.primary {
            primary.stop().await.unwrap();
        }
        if let Some(standby) = self.standby {
            standby.stop().await.unwrap();
        }
    }

    async fn wait_for_each_other(&self) {
        let primary = self.primary();
        run(
            &primary,
            "alter system set synchronous_standby_names = 'standby'",
        )
        .await;
        run(&primary, "select pg_reload_conf()").await;
        self.eventually_replicates(
            "select count(*) = 1 from pg_stat_replication where sync_state = 'sync'",
        )
        .await;
    }

    async fn eventually_replicates(&self, question: &'static str) {
        let mut conn = PgConnection::connect_with(&self.primary()).await.unwrap();
        eventually(question, async || {
            let is_so: bool = sqlx::query_scalar(question)
                .fetch_one(&mut conn)
                .await
                .unwrap();
            is_so.then_some(())
        })
        .await;
    }
}

fn settings(data_dir: &Path, port: Option<u16>) -> Settings {
    Settings {
        data_dir: data_dir.to_owned(),
        port,
        // Processes are killed but the machine keeps running, so written files survive without
        // fsync.
        durability: Durability::Throwaway,
        max_connections: 40,
        fresh: false,
    }
}

async fn prepare(primary: &Postgres) {
    let options = primary.options("postgres");
    // Overrides the server's own setting, which does not wait for throwaway data.
    run(
        &options,
        "alter database postgres set synchronous_commit = on",
    )
    .await;
    // Asynchronous commits stay in memory.
    run(&options, "alter system set wal_writer_delay = '10s'").await;
    create_tables(&options).await;
}

async fn copy(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg("-a").args([from, to]).status();
    assert!(copied.await.unwrap().success());
}

fn primary_conninfo(options: &PgConnectOptions, standby: &Path) -> String {
    let password = std::fs::read_to_string(standby.join("superuser.password")).unwrap();
    format!(
        "host=127.0.0.1 port={} user=postgres password={} application_name=standby",
        options.get_port(),
        password.trim()
    )
}

fn follow(data: &Path, conninfo: &str) -> std::io::Result<()> {
    std::fs::write(data.join("standby.signal"), "")?;
    let path: PathBuf = data.join("postgresql.auto.conf");
    let mut file = OpenOptions::new().append(true).open(path)?;
    writeln!(file, "primary_conninfo = '{conninfo}'")
}

/// Runs a statement on a new connection.
pub async fn run(options: &PgConnectOptions, statement: &str) {
    let mut conn = PgConnection::connect_with(options).await.unwrap();
    conn.execute(AssertSqlSafe(statement.to_owned()))
        .await
        .unwrap_or_else(|error| panic!("{statement}: {error}"));
    conn.close().await.unwrap();
}

/// Crashes a server: its child processes are killed first, so it loses everything that is not on
/// disk.
pub async fn crash(data_dir: &Path) {
    let pid_file = tokio::fs::read_to_string(data_dir.join("postmaster.pid"))
        .await
        .unwrap();
    let pid = pid_file.lines().next().unwrap();
    let killed = Command::new("sh")
        .args(["-c", "pkill -KILL -P \"$1\"; kill -KILL \"$1\"", "sh", pid])
        .status();
    assert!(killed.await.unwrap().success());
}
