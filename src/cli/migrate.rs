//! `order-service migrate`.

use std::time::{Duration, Instant};

use clap::Parser;
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection as _, PgConnection};
use time::format_description::well_known::Rfc3339;

use crate::config;
use crate::db::migrations::{
    self, MIGRATIONS, MigrationPolicy, MigrationProgress, MigrationStatus, Mode,
};

use super::{Environment, Result, say};

/// How often the progress of a backfill is printed.
const BATCHES_EVERY: Duration = Duration::from_secs(1);

#[derive(Parser)]
#[command(
    after_help = "Connects to PostgreSQL directly, not through a transaction pooler. May run while the service works, and concurrently with other migrators. Applied migrations of a newer release stay unchanged."
)]
pub struct MigrateArgs {
    /// List the migrations, applied and pending, and change nothing
    #[arg(long, conflicts_with = "dry_run")]
    status: bool,
    /// List the migrations that would be applied, and change nothing
    #[arg(long)]
    dry_run: bool,
}

pub async fn run(args: &MigrateArgs, environment: &Environment) -> Result {
    let options = environment.or_dev().read(config::database)?;
    if args.status || args.dry_run {
        let statuses = read_statuses(&options).await?;
        return if args.status {
            print_statuses(&statuses)
        } else {
            print_pending(&statuses)
        };
    }
    let policy = MigrationPolicy::default();
    let summary = migrations::migrate(&options, &MIGRATIONS, policy, &mut printer()).await?;
    if let Some(version) = summary.newer {
        print_newer(version);
    }
    println!("the tables are up to date ({} migrations)", summary.known);
    Ok(())
}

/// Prints progress to stderr; of the batches only some.
pub fn printer() -> impl FnMut(MigrationProgress<'_>) + Send {
    let mut printed_at = None::<Instant>;
    move |progress| {
        let now = Instant::now();
        if let MigrationProgress::Batch { .. } = progress
            && printed_at.is_some_and(|at| now - at < BATCHES_EVERY)
        {
            return;
        }
        printed_at = Some(now);
        eprintln!("{progress}");
    }
}

async fn read_statuses(options: &PgConnectOptions) -> Result<Vec<MigrationStatus>> {
    let mut conn = PgConnection::connect_with(options)
        .await
        .map_err(|error| format!("cannot connect to the database: {error}"))?;
    Ok(migrations::status(&mut conn, &MIGRATIONS).await?)
}

fn print_statuses(statuses: &[MigrationStatus]) -> Result {
    for migration in statuses {
        let installed_on = match migration.installed_on {
            Some(at) => at.replace_nanosecond(0)?.format(&Rfc3339)?,
            None => "-".to_owned(),
        };
        say(&format!(
            "{:04}  {installed_on:<20}  {:<30}  {}",
            migration.version,
            migration.description,
            migration.state.as_str()
        ));
    }
    Ok(())
}

fn print_pending(statuses: &[MigrationStatus]) -> Result {
    let pending = migrations::pending(statuses)?;
    if let Some(version) = migrations::newer(statuses) {
        print_newer(version);
    }
    if pending.is_empty() {
        say("nothing to apply");
    }
    for version in pending {
        if let Some(migration) = migrations::find(&MIGRATIONS, version) {
            let mode = Mode::of(migration);
            say(&format!(
                "would apply {version:04} {}, {mode}",
                migration.description
            ));
        }
    }
    Ok(())
}

fn print_newer(version: i64) {
    say(&format!(
        "note: a newer release has migrated this database up to {version:04}"
    ));
}
