//! The commands of the binary.

use std::io::Write as _;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::{config, telemetry};

#[cfg(feature = "sandbox")]
mod dev;
mod generate;
mod healthcheck;
mod import;
mod migrate;
mod reconcile;
#[cfg(feature = "sandbox")]
mod sandbox;
mod serve;
mod token;

use crate::config::Environment;

/// The result of a command. An error is printed with all its causes.
type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Accepts a shop's orders, fulfils them with Inventory, Payment and Shipping, lists and cancels them.
#[derive(Parser)]
#[command(version, about, after_long_help = config::manual())]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Run the service (the default)
    Serve,
    /// Run the service with a database, stand-in peers and demo data of its own
    #[cfg(feature = "sandbox")]
    Dev(dev::DevArgs),
    /// Bring the database's tables up to date
    Migrate(migrate::MigrateArgs),
    /// Run stand-ins for Inventory, Payment, Shipping and UserService
    #[cfg(feature = "sandbox")]
    Sandbox(sandbox::SandboxArgs),
    /// Make an access token; the last line of the output is the token
    Token(token::TokenArgs),
    /// Import orders of an earlier shop from CSV files: all of them, or none
    Import(import::ImportArgs),
    /// Compare the orders with the ledgers of Payment, Shipping and Inventory
    Reconcile(reconcile::ReconcileArgs),
    /// Fill an empty database with generated orders, for benchmarks and demonstrations
    Generate(generate::GenerateArgs),
    /// Print the OpenAPI document
    Openapi,
    /// Check that the service on this machine is ready; for containers
    Healthcheck,
}

/// Runs the command that the arguments name.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(cli.command.unwrap_or(Command::Serve)) {
        Ok(code) => code,
        Err(error) => {
            print_error(&*error);
            ExitCode::FAILURE
        }
    }
}

/// Prints an error with every cause.
fn print_error(error: &dyn std::error::Error) {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    eprintln!("error: {text}");
}

/// Parses a time argument.
fn moment(text: &str) -> std::result::Result<OffsetDateTime, String> {
    OffsetDateTime::parse(text, &Rfc3339)
        .map_err(|_| "must be a time of RFC 3339, such as 2026-11-22T00:00:00Z".to_owned())
}

/// Sets up logs. Only `serve` exports traces.
fn init_logs(environment: &Environment) -> Result {
    telemetry::init(telemetry::TelemetrySettings {
        traces: None,
        ..environment.read(config::telemetry)?
    })?;
    Ok(())
}

/// Prints a line. A closed pipe, for example of `head`, is ignored, because it must not interrupt a repair.
fn say(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

fn run(command: Command) -> Result<ExitCode> {
    let environment = Environment::load()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        match command {
            Command::Serve => serve::run(&environment).await,
            #[cfg(feature = "sandbox")]
            Command::Dev(args) => dev::run(args, environment).await,
            Command::Migrate(args) => migrate::run(&args, &environment).await,
            #[cfg(feature = "sandbox")]
            Command::Sandbox(args) => sandbox::run(args, &environment).await,
            Command::Token(args) => token::run(&args, &environment),
            Command::Import(args) => import::run(args, &environment).await,
            Command::Reconcile(args) => return Ok(reconcile::run(args, &environment).await),
            Command::Generate(args) => generate::run(args, &environment).await,
            Command::Openapi => {
                say(&crate::http::openapi().to_pretty_json()?);
                Ok(())
            }
            Command::Healthcheck => healthcheck::run(&environment).await,
        }?;
        Ok(ExitCode::SUCCESS)
    })
}
