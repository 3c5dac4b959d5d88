//! The order history of a customer.

use std::sync::Arc;

use axum::Json;
use axum::extract::{RawQuery, State};

use crate::http::caller::Caller;
use crate::http::cursor::Cursors;
use crate::http::extract::PathCustomer;
use crate::http::links::RequestLinks;
use crate::http::problem::Problem;
use crate::orders::Orders;

use super::list::encode;
use super::params::{FilterParams, PageParams};
use super::search;
use super::views::OrderList;

/// List the orders of a customer, newest first.
///
/// The history of another customer is `404`.
#[utoipa::path(
    get,
    path = "/v1/orders/my-orders/{customer_id}/",
    tag = "orders",
    params(("customer_id" = i64, Path, description = "The id of the customer", minimum = 1), FilterParams, PageParams),
    responses((status = 200, description = "A page of orders", body = OrderList)),
    security(("bearer" = []))
)]
pub async fn my_orders(
    State(orders): State<Orders>,
    State(cursors): State<Arc<Cursors>>,
    Caller(caller): Caller,
    PathCustomer(customer_id): PathCustomer,
    links: RequestLinks,
    RawQuery(query): RawQuery,
) -> Result<Json<OrderList>, Problem> {
    let search = search::read(query.as_deref(), Some(customer_id), &cursors)?;
    let listing = orders.history(&caller, customer_id, &search).await?;
    Ok(Json(encode(listing, &caller, &search, &links, &cursors)))
}
