//! Compares the service with its database: see `bench/README.md`.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

mod environment;
mod lists;
mod load;
mod peers;
mod pgbench;
mod ratios;
mod scripts;
mod service;
mod statements;
mod stats;

type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Compares Order Service with PostgreSQL, and prints a report in Markdown
#[derive(Parser)]
struct BenchArgs {
    /// The binary to measure
    #[arg(long, default_value = "target/release/order-service", global = true)]
    service: PathBuf,
    /// Number of generated orders
    #[arg(long, default_value_t = 1_000_000, global = true)]
    orders: u64,
    /// Passed by Cargo to every benchmark
    #[arg(long, hide = true, global = true)]
    bench: bool,
    #[command(subcommand)]
    what: Option<What>,
}

#[derive(Subcommand)]
enum What {
    /// Compare the service over HTTP with pgbench on the same statements (the default)
    Ratios(ratios::RatiosArgs),
    /// Measure lists, searches and an export
    Lists(lists::ListsArgs),
}

fn main() -> Result {
    let args = BenchArgs::parse();
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async {
        let environment = environment::Environment::start(args.orders, &args.service).await?;
        let report = match args
            .what
            .unwrap_or(What::Ratios(ratios::RatiosArgs::default()))
        {
            What::Ratios(args) => ratios::measure(&environment, &args).await,
            What::Lists(args) => lists::measure(&environment, &args).await,
        };
        environment.stop().await?;
        println!("{}", report?);
        Ok(())
    })
}
