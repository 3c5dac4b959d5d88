//! `order-service import`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use sqlx::{Connection as _, PgConnection};

use crate::import::{ImportFiles, ImportOptions, ImportProgress, ImportStage, import};
use crate::{config, db};

use super::{Environment, Result};

#[derive(Parser)]
#[command(
    after_help = "The files are those of the earlier shop: orders with order_id, customer_id, order_status, payment_status, order_total, created_at, items with order_item_id, order_id, product_id, sku, quantity, unit_price, and optionally name. Invalid rows are reported by line and column, and then nothing is imported. Rows that exist already stay unchanged."
)]
pub struct ImportArgs {
    /// CSV file of the orders
    #[arg(long)]
    orders: PathBuf,
    /// CSV file of their items
    #[arg(long)]
    items: PathBuf,
}

pub async fn run(args: ImportArgs, environment: &Environment) -> Result {
    let (database, currency) = environment
        .or_dev()
        .read(|reader| Some((config::database(reader), config::currency(reader))).and_then(both))?;
    let mut conn = PgConnection::connect_with(&database)
        .await
        .map_err(|error| format!("cannot connect to the database: {error}"))?;
    db::check_migrated(&mut conn).await?;
    let bar = ProgressBar::new(0).with_style(ProgressStyle::with_template(
        "{msg} {wide_bar} {bytes}/{total_bytes} {eta}",
    )?);
    bar.enable_steady_tick(Duration::from_millis(200));
    let mut show = |progress: ImportProgress| {
        bar.set_message(match progress.stage {
            ImportStage::Orders => "orders",
            ImportStage::Items => "items",
        });
        bar.set_length(progress.bytes_total);
        bar.set_position(progress.bytes_read);
    };
    let files = ImportFiles {
        orders: args.orders,
        items: args.items,
    };
    let imported = import(&mut conn, files, ImportOptions::new(currency), &mut show).await;
    bar.finish_and_clear();
    let summary = imported?;
    println!(
        "orders: {} imported, {} known already; items: {} imported, {} known already",
        summary.orders_new, summary.orders_known, summary.items_new, summary.items_known
    );
    Ok(())
}

fn both<A, B>((a, b): (Option<A>, Option<B>)) -> Option<(A, B)> {
    Some((a?, b?))
}
