//! View models of a list of orders: the filter form and the order cards.

use crate::domain::order::Order;
use crate::domain::search::{MAX_SEARCH_CHARS, OrderListQuery, SortBy, SortDir};
use crate::domain::status::{OrderStatus, PaymentStatus, ShippingStatus, Status};

use super::display::{DisplayTime, StatusBadge, amount, badges, day, item_name, status_name};

/// The number of items on a card.
const ITEMS_PER_CARD: usize = 4;

/// The filter form of a list.
pub struct FilterForm {
    pub search: String,
    pub max_chars: usize,
    pub selects: Vec<SelectField>,
    pub is_set: bool,
}

/// A drop-down list.
pub struct SelectField {
    pub name: &'static str,
    pub label: &'static str,
    pub choices: Vec<SelectOption>,
}

/// An option of a drop-down list.
pub struct SelectOption {
    pub value: &'static str,
    pub word: &'static str,
    pub is_chosen: bool,
}

/// The orders of one day. A list that is not sorted by date is one group without a name.
pub struct DayGroup {
    pub name: Option<String>,
    pub orders: Vec<OrderCard>,
}

/// An order in a list.
pub struct OrderCard {
    pub order_id: i64,
    pub customer_id: i64,
    pub placed: DisplayTime,
    pub badges: [StatusBadge; 3],
    pub items: Vec<(u32, String)>,
    pub more: usize,
    pub total: String,
}

/// The filter form with the present filters.
pub fn filter_form(search: &OrderListQuery) -> FilterForm {
    let filter = &search.filter;
    let text = filter.search.clone().unwrap_or_default();
    let has_text = !text.is_empty();
    let is_set = has_text
        || !filter.order_statuses.is_empty()
        || !filter.payment_statuses.is_empty()
        || !filter.shipping_statuses.is_empty();
    let select = |name, label, choices| SelectField {
        name,
        label,
        choices,
    };
    let order = statuses::<OrderStatus>(&filter.order_statuses);
    let payment = statuses::<PaymentStatus>(&filter.payment_statuses);
    let shipping = statuses::<ShippingStatus>(&filter.shipping_statuses);
    FilterForm {
        search: text,
        max_chars: MAX_SEARCH_CHARS,
        selects: vec![
            select("status_filter", "Order", order),
            select("payment_filter", "Payment", payment),
            select("shipping_filter", "Shipping", shipping),
            select("sort_by", "Sort by", sort_keys(search.sort_by, has_text)),
            select("sort_dir", "Direction", directions(search.sort_dir)),
        ],
        is_set,
    }
}

fn option(value: &'static str, word: &'static str, is_chosen: bool) -> SelectOption {
    SelectOption {
        value,
        word,
        is_chosen,
    }
}

fn statuses<S: Status>(chosen: &[S]) -> Vec<SelectOption> {
    let any = option("", "Any", chosen.is_empty());
    let each = S::ALL.iter().map(|status| {
        let name = status.as_str();
        option(name, status_name(name), chosen == [*status])
    });
    std::iter::once(any).chain(each).collect()
}

/// With a search text, the best match comes first. Its value is empty, so that it disappears with the text.
fn sort_keys(by: SortBy, has_text: bool) -> Vec<SelectOption> {
    let best = has_text.then(|| option("", "Best match", by == SortBy::Relevance));
    let keys = [
        option("created_at", "Date", by == SortBy::CreatedAt),
        option("total", "Total", by == SortBy::Total),
    ];
    best.into_iter().chain(keys).collect()
}

fn directions(dir: SortDir) -> Vec<SelectOption> {
    vec![
        option("desc", "Descending", dir == SortDir::Desc),
        option("asc", "Ascending", dir == SortDir::Asc),
    ]
}

/// The cards of a list, grouped by day if the list is sorted by date.
pub fn day_groups(orders: Vec<Order>, is_by_day: bool) -> Vec<DayGroup> {
    let mut groups: Vec<DayGroup> = Vec::new();
    for order in orders {
        let name = is_by_day.then(|| day(order.created_at));
        let card = card(&order);
        match groups.last_mut() {
            Some(last) if last.name == name => last.orders.push(card),
            _ => groups.push(DayGroup {
                name,
                orders: vec![card],
            }),
        }
    }
    groups
}

fn card(order: &Order) -> OrderCard {
    let items = order.items.iter().take(ITEMS_PER_CARD);
    let items = items.map(|item| (item.quantity, item_name(item).to_owned()));
    OrderCard {
        order_id: order.order_id.0,
        customer_id: order.customer_id.0,
        placed: order.created_at.into(),
        badges: badges(order),
        items: items.collect(),
        more: order.items.len().saturating_sub(ITEMS_PER_CARD),
        total: amount(order.totals.order_total, order.currency),
    }
}
