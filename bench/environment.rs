//! A private PostgreSQL with default durability, and databases of generated orders.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use private_postgres::{Durability, Postgres, Settings};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use tokio::process::Command;

use crate::Result;

/// The folder that persists between runs.
const FOLDER: &str = "target/benchmark";
/// Average number of orders of a customer.
const ORDERS_PER_CUSTOMER: u64 = 8;
/// Enough for two services, pgbench and administrative connections.
const MAX_CONNECTIONS: u16 = 100;

/// The measured binary and its database server.
pub struct Environment {
    /// Number of generated orders.
    pub orders: u64,
    /// Number of customers.
    pub customers: u64,
    /// The measured binary.
    pub service: PathBuf,
    /// The folder of logs and other files.
    pub folder: PathBuf,
    /// The folder of the PostgreSQL programs, such as pgbench.
    pub programs: PathBuf,
    /// Version of the database server.
    pub version: String,
    postgres: Postgres,
}

impl Environment {
    /// Starts the server and generates missing data.
    pub async fn start(orders: u64, service: &Path) -> Result<Self> {
        let service = std::path::absolute(service)?;
        if !service.is_file() {
            let missing = service.display();
            return Err(format!("{missing} is missing: run 'cargo build --release'").into());
        }
        let folder = std::path::absolute(FOLDER)?;
        std::fs::create_dir_all(&folder)?;
        let settings = Settings {
            data_dir: folder.join("postgres"),
            port: None,
            durability: Durability::Durable,
            max_connections: MAX_CONNECTIONS,
            fresh: false,
        };
        let postgres = Postgres::start(settings, |line| eprintln!("{line}")).await?;
        let mut conn = PgConnection::connect_with(&postgres.options("postgres")).await?;
        let programs: String =
            sqlx::query_scalar("select setting from pg_config where name = 'BINDIR'")
                .fetch_one(&mut conn)
                .await?;
        let version: String = sqlx::query_scalar("show server_version")
            .fetch_one(&mut conn)
            .await?;
        let environment = Self {
            orders,
            customers: orders.div_ceil(ORDERS_PER_CUSTOMER),
            service,
            folder,
            programs: programs.into(),
            version,
            postgres,
        };
        environment.fill(&mut conn).await?;
        Ok(environment)
    }

    /// The database of the generated orders.
    pub fn base(&self) -> String {
        format!("orders_{}", self.orders)
    }

    /// Creates a copy of the generated orders.
    pub async fn copy(&self, name: &str) -> Result {
        let mut conn = self.connect("postgres").await?;
        run(&mut conn, format!("drop database if exists {name}")).await?;
        let base = self.base();
        let sql = format!("create database {name} template {base} strategy file_copy");
        run(&mut conn, sql).await
    }

    /// Removes a copy.
    pub async fn remove(&self, name: &str) -> Result {
        let mut conn = self.connect("postgres").await?;
        run(&mut conn, format!("drop database {name} with (force)")).await
    }

    /// A connection to a database.
    pub async fn connect(&self, name: &str) -> Result<PgConnection> {
        Ok(PgConnection::connect_with(&self.postgres.options(name)).await?)
    }

    /// The URL of a database.
    pub fn url(&self, name: &str) -> String {
        self.postgres.url(name)
    }

    /// Stops the server.
    pub async fn stop(self) -> Result {
        Ok(self.postgres.stop().await?)
    }

    /// Generates under a temporary name, so that a complete database has its final name. Migrates an existing one.
    async fn fill(&self, server: &mut PgConnection) -> Result {
        let base = self.base();
        let is_there: bool =
            sqlx::query_scalar("select exists (select from pg_database where datname = $1)")
                .bind(&base)
                .fetch_one(&mut *server)
                .await?;
        if is_there {
            return self.order_service(&base, &["migrate"]).await;
        }
        run(server, "drop database if exists incomplete".to_owned()).await?;
        run(server, "create database incomplete".to_owned()).await?;
        self.order_service("incomplete", &["migrate"]).await?;
        let orders = format!("--orders={}", self.orders);
        let customers = format!("--customers={}", self.customers);
        let until = "--until=2026-11-22T00:00:00Z";
        self.order_service("incomplete", &["generate", &orders, &customers, until])
            .await?;
        run(server, "checkpoint".to_owned()).await?;
        run(
            server,
            format!("alter database incomplete rename to {base}"),
        )
        .await
    }

    async fn order_service(&self, database: &str, arguments: &[&str]) -> Result {
        let status = Command::new(&self.service)
            .args(arguments)
            .current_dir(&self.folder)
            .env_clear()
            .env("DATABASE_URL", self.url(database))
            .stdin(Stdio::null())
            .status()
            .await?;
        match status.success() {
            true => Ok(()),
            false => Err(format!("'order-service {}' failed", arguments.join(" ")).into()),
        }
    }
}

/// Executes a statement that contains the name of a database.
#[expect(
    clippy::disallowed_methods,
    reason = "names of databases cannot be bound, and are the benchmark's own"
)]
pub async fn run(conn: &mut PgConnection, sql: String) -> Result {
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(conn).await?;
    Ok(())
}
