//! Lists of orders.

use axum::Json;
use axum::extract::{RawQuery, State};

use crate::domain::principal::Principal;
use crate::domain::search::Page;
use crate::http::caller::Caller;
use crate::http::links::Here;
use crate::http::problem::Problem;
use crate::orders::{Listing, Orders};

use super::search::{self, SearchParams};
use super::views::{OrderList, OrderView};

/// The caller's orders; everybody's for staff.
#[utoipa::path(
    get,
    path = "/v1/orders/",
    tag = "orders",
    params(SearchParams),
    responses((status = 200, description = "A page of orders", body = OrderList)),
    security(("bearer" = []))
)]
pub async fn list_orders(
    State(orders): State<Orders>,
    Caller(caller): Caller,
    here: Here,
    RawQuery(query): RawQuery,
) -> Result<Json<OrderList>, Problem> {
    let search = search::read(query.as_deref())?;
    let page = search.page;
    let listing = orders.list(&caller, search).await?;
    Ok(Json(encode(listing, &caller, page, &here)))
}

/// A page as the caller sees it.
pub fn encode(listing: Listing, caller: &Principal, page: Page, here: &Here) -> OrderList {
    let (next, previous) = search::neighbours(here, page, listing.count);
    let results = listing
        .orders
        .into_iter()
        .map(|order| OrderView::new(order, caller));
    OrderList {
        count: listing.count,
        next,
        previous,
        results: results.collect(),
    }
}
