//! Reads a question about orders from a query string.

use utoipa::IntoParams;

use crate::domain::search::{
    DEFAULT_PAGE_SIZE, Filter, MAX_OFFSET, MAX_PAGE_SIZE, MAX_SEARCH_CHARS, Page, Search, SortBy,
    SortDir,
};
use crate::http::links::Here;
use crate::http::problem::Problem;
use crate::http::query::Parameters;

/// Filters, sorting and page of a list.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(
    dead_code,
    reason = "describes what is read by hand, so that all faults are told at once"
)]
pub struct SearchParams {
    /// Order statuses, several by comma, in any case.
    #[param(example = "PENDING,CONFIRMED", required = false)]
    status_filter: Option<String>,
    /// Payment statuses, several by comma, in any case.
    #[param(example = "PAID", required = false)]
    payment_filter: Option<String>,
    /// Shipping statuses, several by comma, in any case.
    #[param(example = "SHIPPED", required = false)]
    shipping_filter: Option<String>,
    /// An order, customer or product number, a SKU or its beginning, or a tracking number.
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
    /// `created_at`, `total` or `order_id`.
    #[param(inline, required = false)]
    sort_by: Option<SortByParam>,
    /// `desc` (newest or largest first) or `asc`.
    #[param(inline, required = false)]
    sort_dir: Option<SortDirParam>,
    /// Which page, from 1. `page × page_size` reaches 100000.
    #[param(minimum = 1, maximum = 100000, required = false)]
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

const KNOWN: [&str; 13] = [
    "status_filter",
    "payment_filter",
    "shipping_filter",
    "search",
    "sku",
    "created_from",
    "created_to",
    "min_total",
    "max_total",
    "sort_by",
    "sort_dir",
    "page",
    "page_size",
];

/// Reads a query string.
pub fn read(query: Option<&str>) -> Result<Search, Problem> {
    let mut parameters = Parameters::read(query, &KNOWN);
    let filter = Filter {
        customer_id: None,
        order_statuses: parameters.statuses("status_filter"),
        payment_statuses: parameters.statuses("payment_filter"),
        shipping_statuses: parameters.statuses("shipping_filter"),
        search: parameters.short_text("search", MAX_SEARCH_CHARS),
        sku: parameters.short_text("sku", MAX_SEARCH_CHARS),
        created_from: parameters.moment("created_from"),
        created_to: parameters.moment("created_to"),
        min_total: parameters.amount("min_total"),
        max_total: parameters.amount("max_total"),
    };
    let by = [
        ("created_at", SortBy::CreatedAt),
        ("total", SortBy::Total),
        ("order_id", SortBy::OrderId),
    ];
    let sort_by = parameters.one_of("sort_by", &by, SortBy::default());
    let sort_dir = parameters.one_of(
        "sort_dir",
        &[("asc", SortDir::Asc), ("desc", SortDir::Desc)],
        SortDir::default(),
    );
    let size = parameters.number("page_size", 1..=MAX_PAGE_SIZE, DEFAULT_PAGE_SIZE);
    let number = parameters.number("page", 1..=MAX_OFFSET / size, 1);
    let page = Page { number, size };
    parameters.finish(Search {
        filter,
        sort_by,
        sort_dir,
        page,
    })
}

/// The links to the pages after and before this one.
pub fn neighbours(here: &Here, page: Page, count: i64) -> (Option<String>, Option<String>) {
    let last = u32::try_from((count + i64::from(page.size) - 1) / i64::from(page.size))
        .unwrap_or(u32::MAX)
        .clamp(1, MAX_OFFSET / page.size);
    let next = (page.number < last).then(|| here.page(page.number + 1));
    let previous = (page.number > 1).then(|| here.page((page.number - 1).min(last)));
    (next, previous)
}
