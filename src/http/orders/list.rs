//! List orders.

use std::sync::Arc;

use axum::Json;
use axum::extract::{RawQuery, State};

use crate::domain::principal::Principal;
use crate::domain::search::OrderListQuery;
use crate::http::caller::Caller;
use crate::http::cursor::Cursors;
use crate::http::links::RequestLinks;
use crate::http::problem::Problem;
use crate::orders::{OrderListPage, Orders};

use super::params::{FilterParams, PageParams};
use super::search;
use super::views::{OrderList, OrderView};

/// List the caller's orders; staff see all orders.
///
/// `next` and `previous` use cursors (keyset pagination), or page numbers if the request has `page`. With
/// selective filters a page may have fewer orders than `page_size`, or none; the list ends where `next` is
/// null.
#[utoipa::path(
    get,
    path = "/v1/orders/",
    tag = "orders",
    params(FilterParams, PageParams),
    responses((status = 200, description = "A page of orders", body = OrderList)),
    security(("bearer" = []))
)]
pub async fn list_orders(
    State(orders): State<Orders>,
    State(cursors): State<Arc<Cursors>>,
    Caller(caller): Caller,
    links: RequestLinks,
    RawQuery(query): RawQuery,
) -> Result<Json<OrderList>, Problem> {
    let search = search::read(query.as_deref(), caller.owner(), &cursors)?;
    let listing = orders.list(&caller, &search).await?;
    Ok(Json(encode(listing, &caller, &search, &links, &cursors)))
}

/// Encodes a page of a list as the caller sees it.
pub fn encode(
    listing: OrderListPage,
    caller: &Principal,
    search: &OrderListQuery,
    links: &RequestLinks,
    cursors: &Cursors,
) -> OrderList {
    let (next, previous) = search::neighbours(links, search, cursors, &listing);
    let results = listing
        .orders
        .into_iter()
        .map(|order| OrderView::new(order, caller));
    OrderList {
        count: listing.count,
        count_capped: listing.count_capped,
        next,
        previous,
        results: results.collect(),
    }
}
