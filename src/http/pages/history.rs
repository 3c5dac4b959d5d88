//! The order history of a customer, by day.

use askama::Template;
use axum::extract::{RawQuery, State};
use axum::response::Response;

use crate::domain::search::SortBy;
use crate::http::extract::PathCustomer;
use crate::http::links::RequestLinks;
use crate::http::orders::search::{self, neighbours};
use crate::http::problem::Problem;
use crate::http::state::HttpState;
use crate::orders::OrderListPage;

use super::assets;
use super::list::{DayGroup, FilterForm, day_groups, filter_form};
use super::render::page;
use super::visitor::Visitor;

#[derive(Template)]
#[template(path = "history.html")]
struct HistoryPage {
    visitor: Option<Visitor>,
    customer_id: i64,
    is_own: bool,
    path: String,
    form: FilterForm,
    days: Vec<DayGroup>,
    count: i64,
    is_capped: bool,
    next: Option<String>,
    previous: Option<String>,
}

/// Shows the orders of a customer.
pub async fn show(
    State(state): State<HttpState>,
    visitor: Visitor,
    PathCustomer(customer_id): PathCustomer,
    links: RequestLinks,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let (links, cursors) = (links.relative(), &state.cursors);
    let search = search::read(query.as_deref(), Some(customer_id), cursors)?;
    let caller = &visitor.principal;
    let listing = state.orders.history(caller, customer_id, &search);
    let listing = listing.await?;
    let (next, previous) = neighbours(&links, &search, cursors, &listing);
    let is_by_day = search.sort_by == SortBy::CreatedAt;
    let OrderListPage {
        orders,
        count,
        count_capped,
        ..
    } = listing;
    Ok(page(&HistoryPage {
        customer_id: customer_id.0,
        is_own: caller.customer_id == Some(customer_id),
        path: format!("/v1/orders/my-orders/{customer_id}/"),
        form: filter_form(&search),
        days: day_groups(orders, is_by_day),
        count,
        is_capped: count_capped,
        next,
        previous,
        visitor: Some(visitor),
    }))
}
