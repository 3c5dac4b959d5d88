//! What an import reads, and how.

use std::path::PathBuf;

use crate::domain::money::Currency;

/// The batch size of [`ImportOptions::new`].
const DEFAULT_BATCH_ROWS: usize = 5_000;

/// The two CSV files of an import.
#[derive(Clone, Debug)]
pub struct ImportFiles {
    /// Columns: `order_id, customer_id, order_status, payment_status, order_total, created_at`.
    pub orders: PathBuf,
    /// Columns: `order_item_id, order_id, product_id, sku, quantity, unit_price` and, optionally, `name`.
    pub items: PathBuf,
}

/// The settings of an import.
#[derive(Clone, Copy, Debug)]
pub struct ImportOptions {
    /// The currency of every amount in the files.
    pub currency: Currency,
    /// How many rows one batch has.
    pub batch_rows: usize,
}

impl ImportOptions {
    /// Amounts in `currency`, in batches of 5,000 rows.
    pub fn new(currency: Currency) -> Self {
        Self {
            currency,
            batch_rows: DEFAULT_BATCH_ROWS,
        }
    }
}
