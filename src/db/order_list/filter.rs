//! The filter as SQL conditions on the row `o` of `orders`. Conditions on other tables are scalar subqueries
//! by order id, which the planner cannot turn into a join over a whole table.

use sqlx::{Postgres, QueryBuilder};

use crate::domain::search::{MatchRank, OrderFilter};
use crate::domain::status::{OrderStatus, Status};

/// The shortest text that is searched as a substring: a shorter one has no trigram for the index.
pub const MIN_SUBSTRING_CHARS: usize = 3;

/// The open order statuses.
pub const OPEN: [OrderStatus; 2] = [OrderStatus::Pending, OrderStatus::Cancelling];

/// Appends every condition of the filter, and the rank of the search text.
pub fn push(query: &mut QueryBuilder<Postgres>, filter: &OrderFilter, rank: Option<MatchRank>) {
    if let Some(customer_id) = filter.customer_id {
        query.push(" and o.customer_id = ").push_bind(customer_id.0);
    }
    push_statuses(query, "order_status", &filter.order_statuses, true);
    push_statuses(query, "payment_status", &filter.payment_statuses, true);
    push_statuses(query, "shipping_status", &filter.shipping_statuses, true);
    if let Some(open) = filter.open {
        push_statuses(query, "order_status", &OPEN, open);
    }
    push_created(query, filter);
    push_total(query, filter);
    if let Some(currency) = filter.currency {
        query.push(" and o.currency = ").push_bind(currency.code());
    }
    if let Some(sku) = &filter.sku {
        query
            .push(" and (select true from order_items i where i.order_id = o.order_id and i.sku collate \"C\" = ")
            .push_bind(sku.clone())
            .push(" limit 1)");
    }
    if let Some(needed) = filter.needs_attention {
        query
            .push(" and coalesce((select f.phase = 'stuck' from fulfilments f where f.order_id = o.order_id), false) = ")
            .push_bind(needed);
    }
    if let Some(text) = &filter.search {
        query.push(" and ");
        push_rank(query, text);
        match rank {
            Some(rank) => query.push(format_args!(" = {}", rank as i32)),
            None => query.push(" is not null"),
        };
    }
}

/// Appends the bounds of the time of acceptance.
pub fn push_created(query: &mut QueryBuilder<Postgres>, filter: &OrderFilter) {
    if let Some(from) = filter.created_from {
        query.push(" and o.created_at >= ").push_bind(from);
    }
    if let Some(to) = filter.created_to {
        query.push(" and o.created_at < ").push_bind(to);
    }
}

/// Appends the bounds of the order total.
pub fn push_total(query: &mut QueryBuilder<Postgres>, filter: &OrderFilter) {
    if let Some(min) = filter.min_total {
        query.push(" and o.order_total >= ").push_bind(min);
    }
    if let Some(max) = filter.max_total {
        query.push(" and o.order_total <= ").push_bind(max);
    }
}

/// Appends that a status is (`wanted`) or is not one of these; nothing for an empty list.
pub fn push_statuses<S: Status>(
    query: &mut QueryBuilder<Postgres>,
    column: &str,
    statuses: &[S],
    wanted: bool,
) {
    if statuses.is_empty() {
        return;
    }
    let names: Vec<&str> = statuses.iter().map(|status| status.as_str()).collect();
    let operator = if wanted { "= any" } else { "<> all" };
    query
        .push(format_args!(" and o.{column} {operator}("))
        .push_bind(names)
        .push(")");
}

/// Appends the order's [`MatchRank`] for the text as an integer; null without a match.
fn push_rank(query: &mut QueryBuilder<Postgres>, text: &str) {
    let id = text.parse::<i64>().ok();
    query
        .push("least(case when o.tracking_no = ")
        .push_bind(text.to_owned());
    if let Some(id) = id {
        query.push(" or o.order_id = ").push_bind(id);
        query.push(" or o.customer_id = ").push_bind(id);
    }
    query.push(" then 0 end, (select min(case");
    for (rank, pattern) in patterns(text) {
        query
            .push(" when lower(i.sku) like lower(")
            .push_bind(pattern.clone());
        query
            .push(") or lower(i.name) like lower(")
            .push_bind(pattern);
        query.push(")");
        if let (Some(id), MatchRank::Exact) = (id, rank) {
            query.push(" or i.product_id = ").push_bind(id);
        }
        query.push(format_args!(" then {}", rank as i32));
    }
    query.push(" end) from order_items i where i.order_id = o.order_id))");
}

/// The LIKE patterns of a text for SKUs and names, best rank first.
pub fn patterns(text: &str) -> impl Iterator<Item = (MatchRank, String)> {
    let literal = escape_like(text);
    let is_long = text.chars().count() >= MIN_SUBSTRING_CHARS;
    let part = is_long.then(|| (MatchRank::Substring, format!("%{literal}%")));
    [
        (MatchRank::Exact, literal.clone()),
        (MatchRank::Prefix, format!("{literal}%")),
    ]
    .into_iter()
    .chain(part)
}

/// Escapes the wildcards of LIKE.
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
