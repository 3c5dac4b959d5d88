//! Lists of orders: a count and a page, two statements whatever the filter. The only place where
//! SQL is put together at run time; every value is bound, never written into the text.
//!
//! The statements are not kept prepared: the best plan depends on the values, and a generic plan
//! would be kept for all of them.

use sqlx::{PgConnection, Postgres, QueryBuilder};

use crate::domain::order::Order;
use crate::domain::search::{Filter, Search, SortBy, SortDir};
use crate::domain::status::Status;

use super::Error;
use super::rows::{JoinedRow, gather};

/// A page of orders and how many there are in all.
#[derive(Clone, Debug)]
pub struct Listing {
    /// How many orders the filter lets through.
    pub count: i64,
    /// Those of the page.
    pub orders: Vec<Order>,
}

/// Answers a search.
#[tracing::instrument(name = "db.orders.list", skip_all)]
pub async fn list(conn: &mut PgConnection, search: &Search) -> Result<Listing, Error> {
    let count = count(conn, &search.filter).await?;
    let orders = if count > search.page.offset() {
        page(conn, search).await?
    } else {
        Vec::new()
    };
    Ok(Listing { count, orders })
}

async fn count(conn: &mut PgConnection, filter: &Filter) -> Result<i64, Error> {
    let mut query = QueryBuilder::new("select count(*) from orders o");
    push_filter(&mut query, filter);
    Ok(query
        .build_query_scalar()
        .persistent(false)
        .fetch_one(conn)
        .await?)
}

async fn page(conn: &mut PgConnection, search: &Search) -> Result<Vec<Order>, Error> {
    let mut query = QueryBuilder::new("with page as materialized (select o.* from orders o");
    push_filter(&mut query, &search.filter);
    push_order(&mut query, "o", search);
    query.push(" limit ").push_bind(i64::from(search.page.size));
    query.push(" offset ").push_bind(search.page.offset());
    query.push(
        ") select o.order_id, o.customer_id, o.order_status, o.payment_status, o.shipping_status, \
         o.cancel_reason, o.currency, o.subtotal, o.tax, o.shipping_fee, o.order_total, \
         o.payment_method, o.shipping_address, o.carrier, o.tracking_no, o.cancel_requested, \
         o.version, o.created_at, o.updated_at, i.order_item_id, i.product_id, i.sku, i.quantity, \
         i.unit_price, i.line_total \
         from page o left join order_items i on i.order_id = o.order_id",
    );
    push_order(&mut query, "o", search);
    query.push(", i.order_item_id");
    let rows: Vec<JoinedRow> = query
        .build_query_as()
        .persistent(false)
        .fetch_all(conn)
        .await?;
    gather(rows)
}

fn push_order(query: &mut QueryBuilder<Postgres>, table: &str, search: &Search) {
    let direction = match search.sort_dir {
        SortDir::Asc => "asc",
        SortDir::Desc => "desc",
    };
    let column = match search.sort_by {
        SortBy::CreatedAt => Some("created_at"),
        SortBy::Total => Some("order_total"),
        SortBy::OrderId => None,
    };
    query.push(" order by ");
    if let Some(column) = column {
        query.push(format_args!("{table}.{column} {direction}, "));
    }
    query.push(format_args!("{table}.order_id {direction}"));
}

fn push_filter(query: &mut QueryBuilder<Postgres>, filter: &Filter) {
    query.push(" where true");
    if let Some(customer_id) = filter.customer_id {
        query.push(" and o.customer_id = ").push_bind(customer_id.0);
    }
    push_statuses(query, "order_status", &filter.order_statuses);
    push_statuses(query, "payment_status", &filter.payment_statuses);
    push_statuses(query, "shipping_status", &filter.shipping_statuses);
    if let Some(from) = filter.created_from {
        query.push(" and o.created_at >= ").push_bind(from);
    }
    if let Some(to) = filter.created_to {
        query.push(" and o.created_at < ").push_bind(to);
    }
    if let Some(min) = filter.min_total {
        query.push(" and o.order_total >= ").push_bind(min);
    }
    if let Some(max) = filter.max_total {
        query.push(" and o.order_total <= ").push_bind(max);
    }
    if let Some(sku) = &filter.sku {
        query
            .push(" and o.order_id in (select order_id from order_items where sku collate \"C\" = ")
            .push_bind(sku.clone())
            .push(")");
    }
    if let Some(text) = &filter.search {
        push_search(query, text);
    }
}

fn push_statuses<S: Status>(query: &mut QueryBuilder<Postgres>, column: &str, statuses: &[S]) {
    if statuses.is_empty() {
        return;
    }
    let names: Vec<String> = statuses
        .iter()
        .map(|status| status.as_str().to_owned())
        .collect();
    query
        .push(format_args!(" and o.{column} = any("))
        .push_bind(names)
        .push(")");
}

/// Each way of finding an order has its own index; together they are a union of numbers.
fn push_search(query: &mut QueryBuilder<Postgres>, text: &str) {
    query
        .push(" and o.order_id in (select order_id from order_items where sku collate \"C\" like ");
    query.push_bind(format!("{}%", escape_like(text)));
    query
        .push(" union all select order_id from orders where tracking_no = ")
        .push_bind(text.to_owned());
    if let Ok(number) = text.parse::<i64>() {
        query.push(" union all select ").push_bind(number);
        query
            .push(" union all select order_id from orders where customer_id = ")
            .push_bind(number);
        query
            .push(" union all select order_id from order_items where product_id = ")
            .push_bind(number);
    }
    query.push(")");
}

/// Takes the meaning of wildcards from a text that is to be found as it is.
fn escape_like(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        if matches!(character, '%' | '_' | '\\') {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}
