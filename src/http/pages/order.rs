//! The page of an order: items, statuses and timeline, with live updates.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use crate::domain::event::{OrderEvent, RecordedEvent, customer_message};
use crate::domain::ids::OrderId;
use crate::domain::order::Order;
use crate::domain::status::OrderStatus;
use crate::http::extract::PathOrder;
use crate::http::orders::actions;
use crate::http::problem::Problem;
use crate::http::state::HttpState;
use crate::orders::Tracking;

use super::assets;
use super::display::{DisplayTime, StatusBadge, amount, badges, cancel_reason};
use super::render::page;
use super::visitor::Visitor;

#[derive(Template)]
#[template(path = "order.html")]
struct OrderPageTemplate {
    visitor: Option<Visitor>,
    error: Option<String>,
    order: OrderViewModel,
    events: Vec<TimelineEntry>,
    codes: String,
}

/// An order as a page shows it.
pub struct OrderViewModel {
    pub order_id: i64,
    pub version: i32,
    pub placed: DisplayTime,
    pub badges: [StatusBadge; 3],
    pub progress: Option<Vec<ProgressStage>>,
    pub notes: Vec<&'static str>,
    pub lines: Vec<ItemViewModel>,
    pub sums: Vec<(&'static str, String)>,
    pub total: String,
    pub payment_method: Option<String>,
    pub shipping_address: Option<String>,
    pub parcel: Option<String>,
    pub can_be_cancelled: bool,
}

/// A stage of the progress bar.
pub struct ProgressStage {
    pub word: &'static str,
    pub is_reached: bool,
    pub is_here: bool,
}

/// An item of an order.
pub struct ItemViewModel {
    pub name: String,
    pub sku: String,
    pub quantity: u32,
    pub price: String,
    pub total: String,
}

/// An event of the timeline.
pub struct TimelineEntry {
    pub at: DisplayTime,
    pub text: &'static str,
    pub carrier_status: Option<String>,
}

/// Shows an order.
pub async fn show(
    State(state): State<HttpState>,
    visitor: Visitor,
    PathOrder(order_id): PathOrder,
) -> Result<Response, Problem> {
    show_with_error(&state, visitor, order_id, None).await
}

/// Shows an order, with the reason why a change was rejected.
pub async fn show_with_error(
    state: &HttpState,
    visitor: Visitor,
    order_id: OrderId,
    error: Option<(StatusCode, String)>,
) -> Result<Response, Problem> {
    let caller = &visitor.principal;
    let Tracking { order, events } = state.orders.tracking(caller, order_id).await?;
    let (status, error) = error.unzip();
    let mut response = page(&OrderPageTemplate {
        error,
        order: OrderViewModel::new(&order, &visitor),
        events: events.iter().rev().map(event).collect(),
        codes: OrderEvent::CODES.join(" "),
        visitor: Some(visitor),
    });
    if let Some(status) = status {
        *response.status_mut() = status;
    }
    Ok(response)
}

fn event(event: &RecordedEvent) -> TimelineEntry {
    TimelineEntry {
        at: event.at.into(),
        text: customer_message(&event.code),
        carrier_status: event.carrier_status().map(str::to_owned),
    }
}

impl OrderViewModel {
    /// The order as a visitor sees it.
    pub fn new(order: &Order, visitor: &Visitor) -> Self {
        let price = |money| amount(money, order.currency);
        let state = &order.state;
        let mut notes = Vec::new();
        if order.cancel_requested {
            notes.push("Cancellation was requested, and is being looked into.");
        }
        notes.extend(state.cancel_reason.map(cancel_reason));
        let lines = order.items.iter().map(|item| ItemViewModel {
            name: item.name.clone().unwrap_or_else(|| item.sku.clone()),
            sku: item.sku.clone(),
            quantity: item.quantity,
            price: price(item.unit_price),
            total: price(item.line_total),
        });
        let totals = &order.totals;
        let parcel = [state.carrier.as_deref(), state.tracking_no.as_deref()];
        let parcel: Vec<&str> = parcel.into_iter().flatten().collect();
        Self {
            order_id: order.order_id.0,
            version: order.version,
            placed: order.created_at.into(),
            badges: badges(order),
            progress: progress(state.order_status),
            notes,
            lines: lines.collect(),
            sums: vec![
                ("Subtotal", price(totals.subtotal)),
                ("Tax", price(totals.tax)),
                ("Shipping", price(totals.shipping_fee)),
            ],
            total: price(totals.order_total),
            payment_method: order.payment_method.clone(),
            shipping_address: order.shipping_address.clone(),
            parcel: (!parcel.is_empty()).then(|| parcel.join(" ")),
            can_be_cancelled: actions(order, &visitor.principal).contains(&"cancel"),
        }
    }
}

/// The progress of an order; `None` for cancelled orders.
fn progress(status: OrderStatus) -> Option<Vec<ProgressStage>> {
    let stages = [
        (OrderStatus::Pending, "Received"),
        (OrderStatus::Confirmed, "Confirmed"),
        (OrderStatus::Shipped, "On its way"),
        (OrderStatus::Delivered, "Delivered"),
    ];
    let here = stages.iter().position(|(stage, _)| *stage == status)?;
    let stages = stages
        .iter()
        .enumerate()
        .map(|(at, (_, word))| ProgressStage {
            word,
            is_reached: at <= here,
            is_here: at == here,
        });
    Some(stages.collect())
}
