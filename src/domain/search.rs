//! A question about orders: filters, sorting and which part of the answer.

use rust_decimal::Decimal;
use time::OffsetDateTime;

use super::ids::CustomerId;
use super::money::Currency;
use super::status::{OrderStatus, PaymentStatus, ShippingStatus};

/// The largest page.
pub const MAX_PAGE_SIZE: u32 = 100;
/// The page when none is asked for.
pub const DEFAULT_PAGE_SIZE: u32 = 20;
/// The last row that page numbers reach; cursors reach every one.
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
    /// How well the search text fits: wholly, as a beginning, as a part; then by its number.
    Relevance,
}

/// How well a search text fits an order; better ones are smaller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rank {
    /// It is one of the order's numbers, SKUs or names.
    Exact,
    /// A SKU or a name begins with it.
    Prefix,
    /// It is a part of a SKU or a name.
    Part,
}

impl Rank {
    /// Every rank, best first.
    pub const ALL: [Self; 3] = [Self::Exact, Self::Prefix, Self::Part];
}

/// In which direction a list is sorted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SortDir {
    /// Smallest or oldest first.
    Asc,
    /// Largest, newest or best first.
    #[default]
    Desc,
}

impl SortDir {
    /// The other one.
    pub fn reversed(self) -> Self {
        match self {
            Self::Asc => Self::Desc,
            Self::Desc => Self::Asc,
        }
    }
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
    /// Only what this text finds: an order, customer or product number, a tracking number, a SKU or a
    /// name of an item, or a part of these two.
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
    /// Only in this currency.
    pub currency: Option<Currency>,
    /// Only those whose fulfilment waits for a person, or only the others.
    pub needs_attention: Option<bool>,
    /// Only those that are not decided so far, or only the others.
    pub open: Option<bool>,
}

/// What an order is sorted by, beside its number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value {
    /// When it was accepted.
    Moment(OffsetDateTime),
    /// What it comes to.
    Amount(Decimal),
    /// Nothing.
    Nothing,
    /// How well it fits.
    Rank(Rank),
}

/// A place in a sorted list: that of an order, whether it is in the list or not.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Key {
    /// By what it is sorted.
    pub value: Value,
    /// Its number.
    pub order_id: i64,
}

/// Which part of a list.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Place {
    /// The beginning.
    First,
    /// The page of that number, counted from 1.
    Page(u32),
    /// What follows there.
    After(Key),
    /// What goes before.
    Before(Key),
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
    /// Which part of the answer.
    pub place: Place,
    /// How many orders at most.
    pub size: u32,
}
