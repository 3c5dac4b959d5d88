//! Demo orders: history imported from CSV files, so that lists are not empty. Their ids start at 1001, which
//! leaves lower ids to other imports.

use std::path::Path;

use sqlx::PgConnection;

use crate::domain::money::Currency;
use crate::import::{ImportFiles, ImportOptions, import};

use super::{Result, prepare};

const ORDERS: &str = include_str!("demo/orders.csv");
const ITEMS: &str = include_str!("demo/items.csv");

/// Imports the demo orders into a database without orders.
pub async fn load(conn: &mut PgConnection, currency: Currency, folder: &Path) -> Result {
    let empty: bool = sqlx::query_scalar("select not exists (select from orders)")
        .fetch_one(&mut *conn)
        .await?;
    if !empty {
        return Ok(());
    }
    let folder = prepare(&folder.join("demo"))?;
    let files = ImportFiles {
        orders: folder.join("orders.csv"),
        items: folder.join("items.csv"),
    };
    std::fs::write(&files.orders, ORDERS)?;
    std::fs::write(&files.items, ITEMS)?;
    import(conn, files, ImportOptions::new(currency), &mut |_| {}).await?;
    Ok(())
}
