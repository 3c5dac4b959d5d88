//! The documented parameters of lists and exports; `search` parses them.

use utoipa::IntoParams;

/// Filters and sorting of a list.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(
    dead_code,
    reason = "describes the schema; the handler parses by hand, to report all violations"
)]
pub struct FilterParams {
    /// Order statuses, several by comma, in any case.
    #[param(example = "PENDING,CONFIRMED", required = false)]
    status_filter: Option<String>,
    /// Payment statuses, several by comma, in any case.
    #[param(example = "PAID", required = false)]
    payment_filter: Option<String>,
    /// Shipping statuses, several by comma, in any case.
    #[param(example = "SHIPPED", required = false)]
    shipping_filter: Option<String>,
    /// The id of an order, customer or product, a tracking number, or a SKU or name of an item. A tracking
    /// number must match exactly. SKUs and names are case-insensitive and also match by prefix, and from three
    /// characters on by substring.
    #[param(required = false)]
    search: Option<String>,
    /// A SKU, exact match.
    #[param(example = "SKU0001", required = false)]
    sku: Option<String>,
    /// Placed at or after this time (RFC 3339).
    #[param(example = "2026-01-01T00:00:00Z", format = DateTime, required = false)]
    created_from: Option<String>,
    /// Placed before this time (RFC 3339).
    #[param(example = "2026-02-01T00:00:00Z", format = DateTime, required = false)]
    created_to: Option<String>,
    /// The minimum total.
    #[param(
        example = "10.00",
        pattern = r"^\d{1,9}(\.\d{1,3})?$",
        required = false
    )]
    min_total: Option<String>,
    /// The maximum total.
    #[param(
        example = "1000.00",
        pattern = r"^\d{1,9}(\.\d{1,3})?$",
        required = false
    )]
    max_total: Option<String>,
    /// A currency code.
    #[param(example = "USD", required = false)]
    currency: Option<String>,
    /// Only orders that need attention, or only the others. For staff.
    #[param(required = false)]
    needs_attention: Option<bool>,
    /// Only orders that are `PENDING` or `CANCELLING`, or only the others.
    #[param(required = false)]
    open: Option<bool>,
    /// `created_at`, `total`, `order_id` or `relevance`. `relevance` requires `search`, and is the default with
    /// it: exact matches, then prefixes, then substrings, newest first.
    #[param(inline, required = false)]
    sort_by: Option<SortByParam>,
    /// `desc` (newest, largest or best first) or `asc`.
    #[param(inline, required = false)]
    sort_dir: Option<SortDirParam>,
}

/// The position in a list.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(
    dead_code,
    reason = "describes the schema; the handler parses by hand, to report all violations"
)]
pub struct PageParams {
    /// The cursor of a `next` or `previous` link of the same list (keyset pagination).
    #[param(max_length = 300, required = false)]
    cursor: Option<String>,
    /// The page number, from 1, instead of a cursor. `page × page_size` is at most 100000.
    #[param(minimum = 1, required = false)]
    page: Option<u32>,
    /// The number of orders on a page.
    #[param(minimum = 1, required = false)]
    page_size: Option<u32>,
}

/// The sort key of a list.
#[derive(utoipa::ToSchema)]
#[schema(rename_all = "snake_case")]
#[expect(dead_code, reason = "a schema only")]
pub enum SortByParam {
    /// When the order was placed.
    CreatedAt,
    /// The total of the order.
    Total,
    /// The id of the order.
    OrderId,
    /// How well the order matches the search text.
    Relevance,
}

/// The sort direction.
#[derive(utoipa::ToSchema)]
#[schema(rename_all = "snake_case")]
#[expect(dead_code, reason = "a schema only")]
pub enum SortDirParam {
    /// Smallest or oldest first.
    Asc,
    /// Largest or newest first.
    Desc,
}

/// The format of an export.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(
    dead_code,
    reason = "describes the schema; the handler parses by hand, to report all violations"
)]
pub struct FormatParams {
    /// `csv` (a header, then one row per order) or `ndjson` (one order per line).
    #[param(inline, required = false)]
    format: Option<FormatParam>,
}

/// The format of an export.
#[derive(utoipa::ToSchema)]
#[schema(rename_all = "snake_case")]
#[expect(dead_code, reason = "a schema only")]
pub enum FormatParam {
    /// Comma-separated values.
    Csv,
    /// JSON, one document per line.
    Ndjson,
}
