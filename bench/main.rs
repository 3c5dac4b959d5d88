//! Measures the service beside its database: see `bench/README.md`.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

mod asked;
mod lists;
mod load;
mod peers;
mod pgbench;
mod ratios;
mod scripts;
mod service;
mod stats;
mod world;

type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Measures Order Service beside PostgreSQL, and prints a report in Markdown
#[derive(Parser)]
struct Args {
    /// The binary to measure
    #[arg(long, default_value = "target/release/order-service", global = true)]
    service: PathBuf,
    /// How many orders there are
    #[arg(long, default_value_t = 1_000_000, global = true)]
    orders: u64,
    /// What cargo gives to every benchmark
    #[arg(long, hide = true, global = true)]
    bench: bool,
    #[command(subcommand)]
    what: Option<What>,
}

#[derive(Subcommand)]
enum What {
    /// The service over HTTP beside pgbench with the same statements (the default)
    Ratios(ratios::Args),
    /// How long lists, searches and an export take
    Lists(lists::Args),
}

fn main() -> Result {
    let args = Args::parse();
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async {
        let world = world::World::start(args.orders, &args.service).await?;
        let report = match args.what.unwrap_or(What::Ratios(ratios::Args::default())) {
            What::Ratios(args) => ratios::measure(&world, &args).await,
            What::Lists(args) => lists::measure(&world, &args).await,
        };
        world.stop().await?;
        println!("{}", report?);
        Ok(())
    })
}
