//! Parses a search for orders from a query string, and creates the links of its pages.

use crate::domain::ids::CustomerId;
use crate::domain::money::Currency;
use crate::domain::search::{
    DEFAULT_PAGE_SIZE, MAX_OFFSET, MAX_PAGE_SIZE, MAX_SEARCH_CHARS, OrderFilter, OrderListQuery,
    PagePosition, SortBy, SortDir,
};
use crate::http::cursor::Cursors;
use crate::http::links::RequestLinks;
use crate::http::problem::Problem;
use crate::http::query::QueryParameters;
use crate::orders::OrderListPage;

/// The parameters that filter and sort orders.
pub const FILTERS: [&str; 14] = [
    "status_filter",
    "payment_filter",
    "shipping_filter",
    "search",
    "sku",
    "created_from",
    "created_to",
    "min_total",
    "max_total",
    "currency",
    "needs_attention",
    "open",
    "sort_by",
    "sort_dir",
];

const POSITIONS: [&str; 3] = ["cursor", "page", "page_size"];

/// Parses the search for the orders of `owner`, or of all customers.
pub fn read(
    query: Option<&str>,
    owner: Option<CustomerId>,
    cursors: &Cursors,
) -> Result<OrderListQuery, Problem> {
    let mut parameters = QueryParameters::read(query, &[&FILTERS[..], &POSITIONS].concat());
    let filter = filter(&mut parameters, owner);
    let (sort_by, sort_dir) = sorting(&mut parameters, &filter);
    let size = parameters.integer("page_size", 1..=MAX_PAGE_SIZE, DEFAULT_PAGE_SIZE);
    let mut search = OrderListQuery {
        filter,
        sort_by,
        sort_dir,
        position: PagePosition::First,
        size,
    };
    search.position = position(&mut parameters, &search, cursors);
    parameters.finish(search)
}

/// Parses the filters.
pub fn filter(parameters: &mut QueryParameters, owner: Option<CustomerId>) -> OrderFilter {
    let yes_or_no = [("true", Some(true)), ("false", Some(false))];
    OrderFilter {
        customer_id: owner,
        order_statuses: parameters.statuses("status_filter"),
        payment_statuses: parameters.statuses("payment_filter"),
        shipping_statuses: parameters.statuses("shipping_filter"),
        search: parameters.short_text("search", MAX_SEARCH_CHARS),
        sku: parameters.short_text("sku", MAX_SEARCH_CHARS),
        created_from: parameters.moment("created_from"),
        created_to: parameters.moment("created_to"),
        min_total: parameters.amount("min_total"),
        max_total: parameters.amount("max_total"),
        currency: currency(parameters),
        needs_attention: parameters.one_of("needs_attention", &yes_or_no, None),
        open: parameters.one_of("open", &yes_or_no, None),
    }
}

fn currency(parameters: &mut QueryParameters) -> Option<Currency> {
    let text = parameters.text("currency")?;
    let currency = Currency::from_code(&text.to_ascii_uppercase());
    if currency.is_none() {
        let expected = "must be a currency code of ISO 4217, such as USD";
        parameters.reject("currency", "unknown_value", expected);
    }
    currency
}

/// Parses the sort key and the direction.
pub fn sorting(parameters: &mut QueryParameters, filter: &OrderFilter) -> (SortBy, SortDir) {
    let by = [
        ("created_at", SortBy::CreatedAt),
        ("total", SortBy::Total),
        ("order_id", SortBy::OrderId),
        ("relevance", SortBy::Relevance),
    ];
    let default = match filter.search {
        Some(_) => SortBy::Relevance,
        None => SortBy::default(),
    };
    let sort_by = parameters.one_of("sort_by", &by, default);
    if sort_by == SortBy::Relevance && parameters.text("search").is_none() {
        parameters.reject("sort_by", "without_search", "relevance needs a search");
    }
    let directions = [("asc", SortDir::Asc), ("desc", SortDir::Desc)];
    let sort_dir = parameters.one_of("sort_dir", &directions, SortDir::default());
    (sort_by, sort_dir)
}

fn position(
    parameters: &mut QueryParameters,
    search: &OrderListQuery,
    cursors: &Cursors,
) -> PagePosition {
    let paged = parameters.text("page").is_some();
    let page = parameters.integer("page", 1..=MAX_OFFSET / search.size, 1);
    let Some(cursor) = parameters.text("cursor") else {
        return if paged {
            PagePosition::Page(page)
        } else {
            PagePosition::First
        };
    };
    if paged {
        parameters.reject("page", "beside_cursor", "must not be given beside a cursor");
    }
    cursors.read(search, &cursor).unwrap_or_else(|| {
        let expected =
            "is not a cursor of this list: follow the links as they are, or leave it out";
        parameters.reject("cursor", "invalid_cursor", expected);
        PagePosition::First
    })
}

/// The links to the next and the previous page.
pub fn neighbours(
    links: &RequestLinks,
    search: &OrderListQuery,
    cursors: &Cursors,
    listing: &OrderListPage,
) -> (Option<String>, Option<String>) {
    let cursor = |position| {
        cursors
            .write(search, position)
            .map(|cursor| links.at("cursor", &cursor))
    };
    let next = listing
        .next
        .and_then(|key| cursor(PagePosition::After(key)));
    let previous = listing
        .previous
        .and_then(|key| cursor(PagePosition::Before(key)));
    match search.position {
        PagePosition::First => (next, None),
        PagePosition::Page(page) => by_page(links, search, page, listing, next),
        // An empty page links to the beginning of the list.
        PagePosition::After(_) => (next, previous.or_else(|| Some(links.first()))),
        PagePosition::Before(_) => (next.or_else(|| Some(links.first())), previous),
    }
}

/// The links by page number. Beyond the last possible page number, they continue by cursor.
fn by_page(
    links: &RequestLinks,
    search: &OrderListQuery,
    page: u32,
    listing: &OrderListPage,
    next: Option<String>,
) -> (Option<String>, Option<String>) {
    let size = i64::from(search.size);
    let last = u32::try_from((listing.count + size - 1) / size).unwrap_or(u32::MAX);
    let is_full = i64::try_from(listing.orders.len()).is_ok_and(|found| found == size);
    let next = match next {
        Some(_) if is_full && page < MAX_OFFSET / search.size => Some(links.page(page + 1)),
        next => next,
    };
    let before = match listing.count_capped {
        true => page - 1,
        false => (page - 1).min(last.max(1)),
    };
    let previous = (page > 1).then(|| links.page(before));
    (next, previous)
}
