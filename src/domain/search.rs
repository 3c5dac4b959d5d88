//! A question about orders: filters, sorting and which page of the answer.

use rust_decimal::Decimal;
use time::OffsetDateTime;

use super::ids::CustomerId;
use super::status::{OrderStatus, PaymentStatus, ShippingStatus};

/// The largest page.
pub const MAX_PAGE_SIZE: u32 = 100;
/// The page when none is asked for.
pub const DEFAULT_PAGE_SIZE: u32 = 20;
/// The last row that page numbers reach.
pub const MAX_OFFSET: u32 = 100_000;
/// How long a search text may be, in characters.
pub const MAX_SEARCH_CHARS: usize = 100;

/// By what a list is sorted; ties are broken by the order's number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SortBy {
    /// When the order was accepted.
    #[default]
    CreatedAt,
    /// What it comes to.
    Total,
    /// Its number.
    OrderId,
}

/// In which direction a list is sorted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SortDir {
    /// Smallest or oldest first.
    Asc,
    /// Largest or newest first.
    #[default]
    Desc,
}

/// Which orders; an empty filter lets everything through.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Filter {
    /// Only this customer's.
    pub customer_id: Option<CustomerId>,
    /// Only with one of these order statuses.
    pub order_statuses: Vec<OrderStatus>,
    /// Only with one of these payment statuses.
    pub payment_statuses: Vec<PaymentStatus>,
    /// Only with one of these shipping statuses.
    pub shipping_statuses: Vec<ShippingStatus>,
    /// Only what this text finds: an order, customer or product number, a SKU or its beginning, a
    /// tracking number.
    pub search: Option<String>,
    /// Only with a line of exactly this SKU.
    pub sku: Option<String>,
    /// Only accepted then or later.
    pub created_from: Option<OffsetDateTime>,
    /// Only accepted before then.
    pub created_to: Option<OffsetDateTime>,
    /// Only with at least this total.
    pub min_total: Option<Decimal>,
    /// Only with at most this total.
    pub max_total: Option<Decimal>,
}

/// Which page, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// Which one, from 1.
    pub number: u32,
    /// How many orders it has at most.
    pub size: u32,
}

impl Page {
    /// How many orders come before it.
    pub fn offset(self) -> i64 {
        i64::from(self.number.saturating_sub(1)) * i64::from(self.size)
    }
}

/// A whole question.
#[derive(Clone, Debug, PartialEq)]
pub struct Search {
    /// Which orders.
    pub filter: Filter,
    /// By what they are sorted.
    pub sort_by: SortBy,
    /// In which direction.
    pub sort_dir: SortDir,
    /// Which page of the answer.
    pub page: Page,
}
