//! What to generate, and the progress report.

use time::OffsetDateTime;

use crate::domain::money::Currency;

/// What to generate.
#[derive(Clone, Copy, Debug)]
pub struct GenerateOptions {
    /// The number of orders.
    pub orders: u64,
    /// The number of customers. Customers with small ids have the most orders.
    pub customers: u64,
    /// The seed of the pseudorandom generator.
    pub seed: u64,
    /// When the last order was placed. The first order was placed three years earlier.
    pub until: OffsetDateTime,
    /// The currency of every amount.
    pub currency: Currency,
    /// Whether to add to existing orders; otherwise the database must have none.
    pub add: bool,
}

/// The progress of a generation.
#[derive(Clone, Copy, Debug)]
pub struct GenerateProgress {
    /// The name of the table being filled, or `indexes`.
    pub stage: &'static str,
    /// The number of orders whose rows are in that table.
    pub orders: u64,
}
