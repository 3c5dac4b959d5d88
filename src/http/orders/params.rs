//! The parameters of lists and exports, as they are documented; they are read in `search`.

use utoipa::IntoParams;

/// Filters and sorting of a list.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(
    dead_code,
    reason = "describes what is read by hand, so that all faults are told at once"
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
    /// An order, customer or product number, a tracking number, a SKU or a name of an item, or the
    /// beginning of these two, or (from three characters on) a part. In any case.
    #[param(max_length = 100, required = false)]
    search: Option<String>,
    /// A SKU, exactly.
    #[param(example = "SKU0001", max_length = 100, required = false)]
    sku: Option<String>,
    /// Accepted then or later (RFC 3339).
    #[param(example = "2026-01-01T00:00:00Z", format = DateTime, required = false)]
    created_from: Option<String>,
    /// Accepted before then (RFC 3339).
    #[param(example = "2026-02-01T00:00:00Z", format = DateTime, required = false)]
    created_to: Option<String>,
    /// A total of at least this.
    #[param(
        example = "10.00",
        pattern = r"^\d{1,9}(\.\d{1,3})?$",
        required = false
    )]
    min_total: Option<String>,
    /// A total of at most this.
    #[param(
        example = "1000.00",
        pattern = r"^\d{1,9}(\.\d{1,3})?$",
        required = false
    )]
    max_total: Option<String>,
    /// A currency code.
    #[param(example = "USD", min_length = 3, max_length = 3, required = false)]
    currency: Option<String>,
    /// Only those that wait for a person, or only the others. For staff.
    #[param(required = false)]
    needs_attention: Option<bool>,
    /// Only those that are `PENDING` or `CANCELLING`, or only the others.
    #[param(required = false)]
    open: Option<bool>,
    /// `created_at`, `total`, `order_id`, or with `search`, where it is the default, `relevance`:
    /// whole matches, then beginnings, then parts, the newest first.
    #[param(inline, required = false)]
    sort_by: Option<SortByParam>,
    /// `desc` (newest, largest or best first) or `asc`.
    #[param(inline, required = false)]
    sort_dir: Option<SortDirParam>,
}

/// Which part of a list.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(
    dead_code,
    reason = "describes what is read by hand, so that all faults are told at once"
)]
pub struct PageParams {
    /// From a `next` or `previous`: that place in the same list, however far, whatever was placed since.
    #[param(max_length = 300, required = false)]
    cursor: Option<String>,
    /// Which page, from 1, instead of a cursor. `page × page_size` reaches 100000.
    #[param(minimum = 1, maximum = 100_000, required = false)]
    page: Option<u32>,
    /// How many orders a page has.
    #[param(minimum = 1, maximum = 100, required = false)]
    page_size: Option<u32>,
}

/// By what a list is sorted.
#[derive(utoipa::ToSchema)]
#[schema(rename_all = "snake_case")]
#[expect(dead_code, reason = "a schema only")]
pub enum SortByParam {
    /// When the order was accepted.
    CreatedAt,
    /// What it comes to.
    Total,
    /// Its number.
    OrderId,
    /// How well the search text fits.
    Relevance,
}

/// In which direction.
#[derive(utoipa::ToSchema)]
#[schema(rename_all = "snake_case")]
#[expect(dead_code, reason = "a schema only")]
pub enum SortDirParam {
    /// Smallest or oldest first.
    Asc,
    /// Largest or newest first.
    Desc,
}

/// How an export is written.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(
    dead_code,
    reason = "describes what is read by hand, so that all faults are told at once"
)]
pub struct FormatParams {
    /// `csv` (a header, then a line for each order) or `ndjson` (an order on each line).
    #[param(inline, required = false)]
    format: Option<FormatParam>,
}

/// How an export is written.
#[derive(utoipa::ToSchema)]
#[schema(rename_all = "snake_case")]
#[expect(dead_code, reason = "a schema only")]
pub enum FormatParam {
    /// Comma-separated values.
    Csv,
    /// JSON, a document on each line.
    Ndjson,
}
