//! One order: what is in it, how far it is, and what has happened, live.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use crate::domain::event::{OrderEvent, RecordedEvent, customer_message};
use crate::domain::ids::OrderId;
use crate::domain::order::Order;
use crate::domain::status::OrderStatus;
use crate::http::Shared;
use crate::http::extract::PathOrder;
use crate::http::orders::actions;
use crate::http::problem::Problem;
use crate::orders::Tracking;

use super::session::Visitor;
use super::words::{Badge, Moment, amount, badges, reason};
use super::{assets, page};

#[derive(Template)]
#[template(path = "order.html")]
struct Page {
    visitor: Option<Visitor>,
    trouble: Option<String>,
    order: OrderShown,
    events: Vec<EventShown>,
    codes: String,
}

/// An order on a page.
pub struct OrderShown {
    pub order_id: i64,
    pub version: i32,
    pub placed: Moment,
    pub badges: [Badge; 3],
    pub way: Option<Vec<Stage>>,
    pub notes: Vec<&'static str>,
    pub lines: Vec<Line>,
    pub sums: Vec<(&'static str, String)>,
    pub total: String,
    pub payment_method: Option<String>,
    pub shipping_address: Option<String>,
    pub parcel: Option<String>,
    pub can_be_cancelled: bool,
}

/// A stage on an order's way.
pub struct Stage {
    pub word: &'static str,
    pub is_reached: bool,
    pub is_here: bool,
}

/// A line of an order.
pub struct Line {
    pub name: String,
    pub sku: String,
    pub quantity: u32,
    pub price: String,
    pub total: String,
}

/// Something that has happened.
pub struct EventShown {
    pub at: Moment,
    pub text: &'static str,
    pub carrier_status: Option<String>,
}

/// One order.
pub async fn show(
    State(shared): State<Shared>,
    visitor: Visitor,
    PathOrder(order_id): PathOrder,
) -> Result<Response, Problem> {
    with_trouble(&shared, visitor, order_id, None).await
}

/// One order, and why something that was to be done with it was not.
pub async fn with_trouble(
    shared: &Shared,
    visitor: Visitor,
    order_id: OrderId,
    trouble: Option<(StatusCode, String)>,
) -> Result<Response, Problem> {
    let caller = &visitor.principal;
    let Tracking { order, events } = shared.orders.tracking(caller, order_id).await?;
    let (status, trouble) = trouble.unzip();
    let mut response = page(&Page {
        trouble,
        order: shown(&order, &visitor),
        events: events.iter().rev().map(event).collect(),
        codes: OrderEvent::CODES.join(" "),
        visitor: Some(visitor),
    });
    if let Some(status) = status {
        *response.status_mut() = status;
    }
    Ok(response)
}

fn event(event: &RecordedEvent) -> EventShown {
    EventShown {
        at: event.at.into(),
        text: customer_message(&event.code),
        carrier_status: event.carrier_status().map(str::to_owned),
    }
}

/// An order as this visitor sees it.
pub fn shown(order: &Order, visitor: &Visitor) -> OrderShown {
    let shown = |money| amount(money, order.currency);
    let state = &order.state;
    let mut notes = Vec::new();
    if order.cancel_requested {
        notes.push("Cancellation was requested, and is being looked into.");
    }
    notes.extend(state.cancel_reason.map(reason));
    let lines = order.items.iter().map(|item| Line {
        name: item.name.clone().unwrap_or_else(|| item.sku.clone()),
        sku: item.sku.clone(),
        quantity: item.quantity,
        price: shown(item.unit_price),
        total: shown(item.line_total),
    });
    let totals = &order.totals;
    let parcel = [state.carrier.as_deref(), state.tracking_no.as_deref()];
    let parcel: Vec<&str> = parcel.into_iter().flatten().collect();
    OrderShown {
        order_id: order.order_id.0,
        version: order.version,
        placed: order.created_at.into(),
        badges: badges(order),
        way: way(state.order_status),
        notes,
        lines: lines.collect(),
        sums: vec![
            ("Subtotal", shown(totals.subtotal)),
            ("Tax", shown(totals.tax)),
            ("Shipping", shown(totals.shipping_fee)),
        ],
        total: shown(totals.order_total),
        payment_method: order.payment_method.clone(),
        shipping_address: order.shipping_address.clone(),
        parcel: (!parcel.is_empty()).then(|| parcel.join(" ")),
        can_be_cancelled: actions(order, &visitor.principal).contains(&"cancel"),
    }
}

/// How far an order has come; nothing for those that are called off.
fn way(status: OrderStatus) -> Option<Vec<Stage>> {
    let stages = [
        (OrderStatus::Pending, "Received"),
        (OrderStatus::Confirmed, "Confirmed"),
        (OrderStatus::Shipped, "On its way"),
        (OrderStatus::Delivered, "Delivered"),
    ];
    let here = stages.iter().position(|(stage, _)| *stage == status)?;
    let stages = stages.iter().enumerate().map(|(at, (_, word))| Stage {
        word,
        is_reached: at <= here,
        is_here: at == here,
    });
    Some(stages.collect())
}
