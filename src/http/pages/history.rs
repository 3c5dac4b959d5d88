//! A customer's orders, by day.

use askama::Template;
use axum::extract::{RawQuery, State};
use axum::response::Response;

use crate::domain::order::Order;
use crate::domain::search::{MAX_SEARCH_CHARS, SortBy, SortDir};
use crate::domain::status::{OrderStatus, PaymentStatus, ShippingStatus, Status};
use crate::http::Shared;
use crate::http::extract::PathCustomer;
use crate::http::links::Here;
use crate::http::orders::search::{self, neighbours};
use crate::http::problem::Problem;
use crate::orders::Listing;

use super::session::Visitor;
use super::words::{Badge, Moment, amount, badges, day, item, word};
use super::{assets, page};

#[derive(Template)]
#[template(path = "history.html")]
struct Page {
    visitor: Option<Visitor>,
    customer_id: i64,
    is_own: bool,
    path: String,
    form: Filters,
    days: Vec<Day>,
    count: i64,
    is_capped: bool,
    next: Option<String>,
    previous: Option<String>,
}

/// What the filters of a list show.
pub struct Filters {
    pub search: String,
    pub max_chars: usize,
    pub selects: Vec<Select>,
    pub is_set: bool,
}

/// A choice of one.
pub struct Select {
    pub name: &'static str,
    pub label: &'static str,
    pub choices: Vec<Choice>,
}

/// One of them.
pub struct Choice {
    pub value: &'static str,
    pub word: &'static str,
    pub is_chosen: bool,
}

/// The orders of a day; or all, where the list is not by day.
pub struct Day {
    pub name: Option<String>,
    pub orders: Vec<Card>,
}

/// An order in a list.
pub struct Card {
    pub order_id: i64,
    pub customer_id: i64,
    pub placed: Moment,
    pub badges: [Badge; 3],
    pub items: Vec<(u32, String)>,
    pub more: usize,
    pub total: String,
}

/// How many items of an order are shown in a list.
const ITEMS: usize = 4;

/// A customer's orders.
pub async fn show(
    State(shared): State<Shared>,
    visitor: Visitor,
    PathCustomer(customer_id): PathCustomer,
    here: Here,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let (here, cursors) = (here.rooted(), &shared.cursors);
    let search = search::read(query.as_deref(), Some(customer_id), cursors)?;
    let caller = &visitor.principal;
    let listing = shared.orders.history(caller, customer_id, &search);
    let listing = listing.await?;
    let (next, previous) = neighbours(&here, &search, cursors, &listing);
    let is_by_day = search.sort_by == SortBy::CreatedAt;
    let Listing {
        orders,
        count,
        count_capped,
        ..
    } = listing;
    Ok(page(&Page {
        customer_id: customer_id.0,
        is_own: caller.customer_id == Some(customer_id),
        path: format!("/v1/orders/my-orders/{customer_id}/"),
        form: filters(&search),
        days: days(orders, is_by_day),
        count,
        is_capped: count_capped,
        next,
        previous,
        visitor: Some(visitor),
    }))
}

/// The filters as they are set.
pub fn filters(search: &crate::domain::search::OrderListQuery) -> Filters {
    let filter = &search.filter;
    let text = filter.search.clone().unwrap_or_default();
    let has_text = !text.is_empty();
    let is_set = has_text
        || !filter.order_statuses.is_empty()
        || !filter.payment_statuses.is_empty()
        || !filter.shipping_statuses.is_empty();
    let choice = |value, word, is_chosen| Choice {
        value,
        word,
        is_chosen,
    };
    let by = search.sort_by;
    let mut sort_by = vec![
        choice("created_at", "Date", by == SortBy::CreatedAt),
        choice("total", "Total", by == SortBy::Total),
    ];
    if has_text {
        // What is chosen by nothing, so that it goes when the text does.
        sort_by.insert(0, choice("", "Best match", by == SortBy::Relevance));
    }
    let sort_dir = vec![
        choice("desc", "Descending", search.sort_dir == SortDir::Desc),
        choice("asc", "Ascending", search.sort_dir == SortDir::Asc),
    ];
    let select = |name, label, choices| Select {
        name,
        label,
        choices,
    };
    Filters {
        search: text,
        max_chars: MAX_SEARCH_CHARS,
        selects: vec![
            select(
                "status_filter",
                "Order",
                statuses::<OrderStatus>(&filter.order_statuses),
            ),
            select(
                "payment_filter",
                "Payment",
                statuses::<PaymentStatus>(&filter.payment_statuses),
            ),
            select(
                "shipping_filter",
                "Shipping",
                statuses::<ShippingStatus>(&filter.shipping_statuses),
            ),
            select("sort_by", "Sort by", sort_by),
            select("sort_dir", "Direction", sort_dir),
        ],
        is_set,
    }
}

fn statuses<S: Status>(chosen: &[S]) -> Vec<Choice> {
    let any = Choice {
        value: "",
        word: "Any",
        is_chosen: chosen.is_empty(),
    };
    let each = S::ALL.iter().map(|status| Choice {
        value: status.as_str(),
        word: word(status.as_str()),
        is_chosen: chosen == [*status],
    });
    std::iter::once(any).chain(each).collect()
}

/// The orders as cards, those of a day together where they are sorted by it.
pub fn days(orders: Vec<Order>, is_by_day: bool) -> Vec<Day> {
    let mut days: Vec<Day> = Vec::new();
    for order in orders {
        let name = is_by_day.then(|| day(order.created_at));
        let card = card(&order);
        match days.last_mut() {
            Some(last) if last.name == name => last.orders.push(card),
            _ => days.push(Day {
                name,
                orders: vec![card],
            }),
        }
    }
    days
}

fn card(order: &Order) -> Card {
    let items = order.items.iter().take(ITEMS);
    let items = items.map(|line| (line.quantity, item(line).to_owned()));
    Card {
        order_id: order.order_id.0,
        customer_id: order.customer_id.0,
        placed: order.created_at.into(),
        badges: badges(order),
        items: items.collect(),
        more: order.items.len().saturating_sub(ITEMS),
        total: amount(order.totals.order_total, order.currency),
    }
}
