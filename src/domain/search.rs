//! The query behind an order list: filter, sort order and page.

use rust_decimal::Decimal;
use time::OffsetDateTime;

use super::ids::CustomerId;
use super::money::Currency;
use super::status::{OrderStatus, PaymentStatus, ShippingStatus};

/// The largest page size.
pub const MAX_PAGE_SIZE: u32 = 100;
/// The page size of a query without one.
pub const DEFAULT_PAGE_SIZE: u32 = 20;
/// The largest offset that page numbers reach. Cursors (keyset pagination) have no such limit.
pub const MAX_OFFSET: u32 = 100_000;
/// The longest search text, in characters.
pub const MAX_SEARCH_CHARS: usize = 100;

/// The sort order of a list. The order id breaks ties.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SortBy {
    /// The time of acceptance.
    #[default]
    CreatedAt,
    /// The order total.
    Total,
    /// The order id.
    OrderId,
    /// The [`MatchRank`] of the search text.
    Relevance,
}

/// How well an order matches a search text; better ranks are smaller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum MatchRank {
    /// The text equals an id, the tracking number, a SKU or a product name of the order.
    Exact,
    /// A SKU or a product name starts with the text.
    Prefix,
    /// A SKU or a product name contains the text.
    Substring,
}

impl MatchRank {
    /// Every rank, best first.
    pub const ALL: [Self; 3] = [Self::Exact, Self::Prefix, Self::Substring];
}

/// The direction of a sort order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SortDir {
    /// Smallest or oldest first.
    Asc,
    /// Largest, newest or best first.
    #[default]
    Desc,
}

impl SortDir {
    /// The opposite direction.
    pub fn reversed(self) -> Self {
        match self {
            Self::Asc => Self::Desc,
            Self::Desc => Self::Asc,
        }
    }
}

/// The conditions that an order must meet. The default filter matches every order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OrderFilter {
    /// The customer who owns the order.
    pub customer_id: Option<CustomerId>,
    /// The accepted order statuses; empty accepts all.
    pub order_statuses: Vec<OrderStatus>,
    /// The accepted payment statuses; empty accepts all.
    pub payment_statuses: Vec<PaymentStatus>,
    /// The accepted shipping statuses; empty accepts all.
    pub shipping_statuses: Vec<ShippingStatus>,
    /// A text to search for: an order, customer or product id, a tracking number, or a part of the SKU
    /// or the name of an item.
    pub search: Option<String>,
    /// The exact SKU of at least one item.
    pub sku: Option<String>,
    /// The earliest time of acceptance, inclusive.
    pub created_from: Option<OffsetDateTime>,
    /// The latest time of acceptance, exclusive.
    pub created_to: Option<OffsetDateTime>,
    /// The smallest order total, inclusive.
    pub min_total: Option<Decimal>,
    /// The largest order total, inclusive.
    pub max_total: Option<Decimal>,
    /// The currency of the order's amounts.
    pub currency: Option<Currency>,
    /// Whether the saga is stuck and needs a decision by staff.
    pub needs_attention: Option<bool>,
    /// Whether the order status is open: `PENDING` or `CANCELLING`.
    pub open: Option<bool>,
}

/// The value of the sort column in a [`SortKey`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum SortValue {
    /// Of [`SortBy::CreatedAt`].
    CreatedAt(OffsetDateTime),
    /// Of [`SortBy::Total`].
    Total(Decimal),
    /// Of [`SortBy::OrderId`], which needs no value beside the id.
    OrderId,
    /// Of [`SortBy::Relevance`].
    Relevance(MatchRank),
}

/// A position in a sorted list, for keyset pagination. The order need not be in the list any more.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SortKey {
    /// The value of the sort column.
    pub value: SortValue,
    /// The order id, which breaks ties.
    pub order_id: i64,
}

/// The position of a page in its list.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum PagePosition {
    /// The first page.
    First,
    /// The page with this number, counted from 1 (offset pagination).
    Page(u32),
    /// The page that follows this key.
    After(SortKey),
    /// The page that precedes this key.
    Before(SortKey),
}

/// A query for one page of a list of orders.
#[derive(Clone, Debug, PartialEq)]
pub struct OrderListQuery {
    /// The conditions that every order of the list meets.
    pub filter: OrderFilter,
    /// The sort order.
    pub sort_by: SortBy,
    /// The direction of the sort order.
    pub sort_dir: SortDir,
    /// The position of the page.
    pub position: PagePosition,
    /// The page size: the largest number of orders to return.
    pub size: u32,
}
