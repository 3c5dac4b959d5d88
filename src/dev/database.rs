//! The database of the dev environment: a private server, or the configured one.

use std::fs::File;
use std::path::{Path, PathBuf};

use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, PgConnection};

use crate::config::{self, DEV_DATABASE, Environment};
use crate::db::migrations::{self, MIGRATIONS, MigrationError, MigrationPolicy, MigrationProgress};
use private_postgres::{Durability, Postgres, Settings};

use super::{Result, files, prepare};

/// Name of the database on the private server.
const NAME: &str = "orders";
/// Enough for the service, its tools and manual connections.
const MAX_CONNECTIONS: u16 = 64;

/// A migrated database.
pub struct DevDatabase {
    url: String,
    server: Option<Postgres>,
    url_file: Option<PathBuf>,
    /// The lock on the folder.
    _lock: Option<File>,
}

impl DevDatabase {
    /// Connects to the configured database or starts the private server, and applies the migrations.
    pub async fn start(folder: &Path, fresh: bool, environment: &Environment) -> Result<Self> {
        if environment.has_database() {
            if fresh {
                return Err(
                    "--fresh is for the private database; DATABASE_URL or DB_HOST name another"
                        .into(),
                );
            }
            let options = environment.read(config::database)?;
            migrate(&options).await?;
            return Ok(Self {
                url: options.to_url_lossy().into(),
                server: None,
                url_file: None,
                _lock: None,
            });
        }
        let folder = prepare(folder)?;
        let lock = files::lock(&folder)?;
        let server = Postgres::start(
            Settings {
                data_dir: folder.join("postgres"),
                port: None,
                durability: Durability::Durable,
                max_connections: MAX_CONNECTIONS,
                fresh,
            },
            |line| eprintln!("{line}"),
        )
        .await?;
        create(&server.options("postgres")).await?;
        migrate(&server.options(NAME)).await?;
        let url = server.url(NAME);
        let url_file = folder.join(DEV_DATABASE);
        files::write_secret(&url_file, &url)?;
        Ok(Self {
            url,
            server: Some(server),
            url_file: Some(url_file),
            _lock: Some(lock),
        })
    }

    /// The URL of the database, password included.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Stops the private server.
    pub async fn stop(self) -> Result {
        if let Some(file) = &self.url_file {
            files::remove(file)?;
        }
        if let Some(server) = self.server {
            server.stop().await?;
        }
        Ok(())
    }
}

async fn create(server: &PgConnectOptions) -> Result {
    let mut conn = PgConnection::connect_with(server).await?;
    let exists: bool =
        sqlx::query_scalar("select exists (select from pg_database where datname = $1)")
            .bind(NAME)
            .fetch_one(&mut conn)
            .await?;
    if !exists {
        sqlx::query("create database orders")
            .execute(&mut conn)
            .await?;
    }
    conn.close().await?;
    Ok(())
}

async fn migrate(options: &PgConnectOptions) -> Result {
    let policy = MigrationPolicy::default();
    let report = &mut |progress: MigrationProgress<'_>| eprintln!("{progress}");
    migrations::migrate(options, &MIGRATIONS, policy, report)
        .await
        .map_err(explain)?;
    Ok(())
}

/// Adds the remedy to an error of migrations.
fn explain(error: MigrationError) -> Box<dyn std::error::Error + Send + Sync> {
    match error {
        MigrationError::Changed { .. } | MigrationError::Missing { .. } => format!(
            "the tables belong to another version of this program ({error}); use --fresh to recreate them"
        )
        .into(),
        other => other.into(),
    }
}
