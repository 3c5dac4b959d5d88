//! One customer's history.

use axum::Json;
use axum::extract::{RawQuery, State};

use crate::http::caller::Caller;
use crate::http::extract::PathCustomer;
use crate::http::links::Here;
use crate::http::problem::Problem;
use crate::orders::Orders;

use super::list::encode;
use super::search::{self, SearchParams};
use super::views::OrderList;

/// One customer's orders, newest first.
///
/// Somebody else's history is `404`.
#[utoipa::path(
    get,
    path = "/v1/orders/my-orders/{customer_id}/",
    tag = "orders",
    params(("customer_id" = i64, Path, description = "The customer's number", minimum = 1), SearchParams),
    responses((status = 200, description = "A page of orders", body = OrderList)),
    security(("bearer" = []))
)]
pub async fn my_orders(
    State(orders): State<Orders>,
    Caller(caller): Caller,
    PathCustomer(customer_id): PathCustomer,
    here: Here,
    RawQuery(query): RawQuery,
) -> Result<Json<OrderList>, Problem> {
    let search = search::read(query.as_deref())?;
    let page = search.page;
    let listing = orders.history(&caller, customer_id, search).await?;
    Ok(Json(encode(listing, &caller, page, &here)))
}
