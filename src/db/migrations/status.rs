//! Which migrations are applied.

use std::borrow::Cow;

use sqlx::PgConnection;
use sqlx::migrate::Migrator;
use time::OffsetDateTime;

use crate::db::Error;

use super::{MIGRATIONS, find};

/// A migration of this binary, of the database, or of both.
#[derive(Clone, Debug)]
pub struct MigrationStatus {
    /// The leading digits of the file name.
    pub version: i64,
    /// The rest of the file name.
    pub description: String,
    /// When it was applied, if it was.
    pub installed_on: Option<OffsetDateTime>,
    /// How file and database compare.
    pub state: MigrationState,
}

/// How a migration file and the database compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MigrationState {
    /// Applied as it is here.
    Applied,
    /// Not applied yet.
    Pending,
    /// Applied with another content: the checksum differs.
    Changed,
    /// Applied by a newer release.
    Newer,
    /// Applied, and unknown here although later ones are known.
    Missing,
    /// Recorded as failed.
    Unfinished,
}

impl MigrationState {
    /// Its name for people.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Pending => "pending",
            Self::Changed => "CHECKSUM DIFFERS",
            Self::Newer => "applied by a newer release",
            Self::Missing => "MISSING HERE",
            Self::Unfinished => "UNFINISHED",
        }
    }
}

/// A row of sqlx's table.
#[derive(sqlx::FromRow)]
struct AppliedRow {
    version: i64,
    description: String,
    installed_on: OffsetDateTime,
    success: bool,
    checksum: Vec<u8>,
}

/// All migrations by version. Changes nothing, not even where the table of migrations does not exist.
pub async fn status(
    conn: &mut PgConnection,
    migrations: &Migrator,
) -> Result<Vec<MigrationStatus>, sqlx::Error> {
    let rows = applied(conn).await?;
    let latest = migrations.iter().map(|migration| migration.version).max();
    let mut statuses: Vec<_> = rows
        .iter()
        .map(|row| MigrationStatus {
            version: row.version,
            description: row.description.clone(),
            installed_on: Some(row.installed_on),
            state: match find(migrations, row.version) {
                _ if !row.success => MigrationState::Unfinished,
                None if Some(row.version) > latest => MigrationState::Newer,
                None => MigrationState::Missing,
                Some(file) if *file.checksum != *row.checksum => MigrationState::Changed,
                Some(_) => MigrationState::Applied,
            },
        })
        .collect();
    let pending = migrations
        .iter()
        .filter(|file| rows.iter().all(|row| row.version != file.version));
    statuses.extend(pending.map(|file| MigrationStatus {
        version: file.version,
        description: Cow::clone(&file.description).into_owned(),
        installed_on: None,
        state: MigrationState::Pending,
    }));
    statuses.sort_by_key(|migration| migration.version);
    Ok(statuses)
}

async fn applied(conn: &mut PgConnection) -> Result<Vec<AppliedRow>, sqlx::Error> {
    // Unchecked queries here, because the table belongs to sqlx and may not exist.
    let rows = sqlx::query_as(
        "select version, description, installed_on, success, checksum from _sqlx_migrations order by version",
    );
    rows.fetch_all(conn).await.or_else(|error| {
        if is_undefined_table(&error) {
            Ok(Vec::new())
        } else {
            Err(error)
        }
    })
}

fn is_undefined_table(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|cause| cause.code());
    code.is_some_and(|code| code == "42P01")
}

/// Checks that the latest migration of this binary is applied, and fails with [`Error::NotMigrated`]
/// otherwise. Later ones do not matter: an older release runs on a newer schema.
pub async fn check_migrated(conn: &mut PgConnection) -> Result<(), Error> {
    let latest = MIGRATIONS.iter().map(|migration| migration.version).max();
    let is_applied: Result<bool, _> = sqlx::query_scalar(
        "select exists (select from _sqlx_migrations where version = $1 and success)",
    )
    .bind(latest)
    .fetch_one(conn)
    .await;
    match is_applied {
        Ok(true) => Ok(()),
        Ok(false) => Err(Error::NotMigrated),
        Err(error) if is_undefined_table(&error) => Err(Error::NotMigrated),
        Err(error) => Err(error.into()),
    }
}
