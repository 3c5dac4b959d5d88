//! `order-service generate`.

use std::time::Duration;

use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use sqlx::{Connection as _, PgConnection};
use time::OffsetDateTime;

use crate::generate::{GenerateOptions, GenerateProgress, ORDERS_PER_CUSTOMER, generate};
use crate::{clock, config, db};

use super::{Environment, Result, moment};

#[derive(Parser)]
#[command(
    after_help = "The orders reach back three years from --until. The same seed, number and --until give the same orders. A few are open or stuck; a service that runs on the database continues them."
)]
pub struct GenerateArgs {
    /// The number of orders
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=100_000_000))]
    orders: u64,
    /// The number of customers; by default an eighth of the orders
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    customers: Option<u64>,
    /// The seed of the random numbers
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// When the last order was placed (RFC 3339); by default the beginning of today
    #[arg(long, value_parser = moment)]
    until: Option<OffsetDateTime>,
    /// Keep existing orders
    #[arg(long)]
    add: bool,
}

pub async fn run(args: GenerateArgs, environment: &Environment) -> Result {
    let (database, currency) = environment
        .or_dev()
        .read(|reader| config::database(reader).zip(config::currency(reader)))?;
    let mut conn = PgConnection::connect_with(&database)
        .await
        .map_err(|error| format!("cannot connect to the database: {error}"))?;
    db::check_migrated(&mut conn).await?;
    let until = args.until.unwrap_or_else(clock::now);
    let options = GenerateOptions {
        orders: args.orders,
        customers: args
            .customers
            .unwrap_or(args.orders.div_ceil(ORDERS_PER_CUSTOMER)),
        seed: args.seed,
        until: if args.until.is_some() {
            until
        } else {
            until.truncate_to_day()
        },
        currency,
        add: args.add,
    };
    let bar = ProgressBar::new(args.orders).with_style(ProgressStyle::with_template(
        "{msg:12} {wide_bar} {human_pos}/{human_len} orders {eta}",
    )?);
    bar.enable_steady_tick(Duration::from_millis(200));
    let mut show = |progress: GenerateProgress| {
        bar.set_message(progress.stage);
        bar.set_position(progress.orders);
    };
    let generated = generate(&mut conn, options, &mut show).await;
    let took = bar.elapsed();
    bar.finish_and_clear();
    generated?;
    println!(
        "{} orders generated in {:.1} s",
        args.orders,
        took.as_secs_f64()
    );
    Ok(())
}
