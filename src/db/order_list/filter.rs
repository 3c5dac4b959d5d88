//! What is asked of an order, as conditions on the row `o` of `orders`. Whatever is not in that row is
//! a scalar subquery by the order's number, which the planner cannot turn into a join over the whole
//! of another table.

use sqlx::{Postgres, QueryBuilder};

use crate::domain::search::{MatchRank, OrderFilter};
use crate::domain::status::{OrderStatus, Status};

/// A search text shorter than this has no trigram of its own: it is not looked for within words.
pub const MIN_PART_CHARS: usize = 3;

/// The statuses of orders that are not decided so far.
pub const OPEN: [OrderStatus; 2] = [OrderStatus::Pending, OrderStatus::Cancelling];

/// Appends every condition of the filter, and that the search text fits so well.
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

/// Appends the bounds of when it was accepted.
pub fn push_created(query: &mut QueryBuilder<Postgres>, filter: &OrderFilter) {
    if let Some(from) = filter.created_from {
        query.push(" and o.created_at >= ").push_bind(from);
    }
    if let Some(to) = filter.created_to {
        query.push(" and o.created_at < ").push_bind(to);
    }
}

/// Appends the bounds of what it comes to.
pub fn push_total(query: &mut QueryBuilder<Postgres>, filter: &OrderFilter) {
    if let Some(min) = filter.min_total {
        query.push(" and o.order_total >= ").push_bind(min);
    }
    if let Some(max) = filter.max_total {
        query.push(" and o.order_total <= ").push_bind(max);
    }
}

/// Appends that a status is, or is not, one of these; nothing when there are none.
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

/// Appends how well the text fits the order: a number as in [`MatchRank`], null when it does not.
fn push_rank(query: &mut QueryBuilder<Postgres>, text: &str) {
    let number = text.parse::<i64>().ok();
    query
        .push("least(case when o.tracking_no = ")
        .push_bind(text.to_owned());
    if let Some(number) = number {
        query.push(" or o.order_id = ").push_bind(number);
        query.push(" or o.customer_id = ").push_bind(number);
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
        if let (Some(number), MatchRank::Exact) = (number, rank) {
            query.push(" or i.product_id = ").push_bind(number);
        }
        query.push(format_args!(" then {}", rank as i32));
    }
    query.push(" end) from order_items i where i.order_id = o.order_id))");
}

/// The patterns by which a text is looked for in SKUs and names.
pub fn patterns(text: &str) -> impl Iterator<Item = (MatchRank, String)> {
    let literal = escape_like(text);
    let is_long = text.chars().count() >= MIN_PART_CHARS;
    let part = is_long.then(|| (MatchRank::Substring, format!("%{literal}%")));
    [
        (MatchRank::Exact, literal.clone()),
        (MatchRank::Prefix, format!("{literal}%")),
    ]
    .into_iter()
    .chain(part)
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
