//! Orders as clients see them.

use axum::http::HeaderValue;
use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use utoipa::ToSchema;

use crate::domain::event::{RecordedEvent, customer_message};
use crate::domain::order::{Item, Order};
use crate::domain::principal::{Principal, Role};
use crate::domain::status::Status as _;

/// A line of an order.
#[derive(Debug, Serialize, ToSchema)]
pub struct ItemView {
    /// The number of the line.
    #[schema(example = 1, minimum = 1)]
    order_item_id: i64,
    /// The product's number, where the client named it.
    #[schema(example = 17, minimum = 1)]
    product_id: Option<i64>,
    /// The stock keeping unit.
    #[schema(example = "SKU0001")]
    sku: String,
    /// What it is called, where the client named it.
    #[schema(example = "Walnut Lamp")]
    name: Option<String>,
    /// How many.
    #[schema(example = 2, minimum = 1)]
    quantity: u32,
    /// The price of one.
    #[schema(example = "100.00", pattern = r"^\d+(\.\d+)?$")]
    unit_price: String,
    /// `quantity × unit_price`.
    #[schema(example = "200.00", pattern = r"^\d+(\.\d+)?$")]
    line_total: String,
}

/// An order. Amounts are texts with as many decimals as the currency has.
#[derive(Debug, Serialize, ToSchema)]
pub struct OrderView {
    /// The order's number.
    #[schema(example = 1, minimum = 1)]
    order_id: i64,
    /// Whose it is.
    #[schema(example = 5, minimum = 1)]
    customer_id: i64,
    /// How far it has come: `PENDING`, `CONFIRMED`, `SHIPPED`, `DELIVERED`, `CANCELLING`, `CANCELLED`.
    #[schema(example = "CONFIRMED")]
    order_status: &'static str,
    /// Where the money is: `PENDING`, `PAID`, `FAILED`, `REFUNDED`.
    #[schema(example = "PAID")]
    payment_status: &'static str,
    /// Where the parcel is: `PENDING`, `SHIPPED`, `DELIVERED`, `FAILED`, `CANCELLED`, `RETURNED`,
    /// `UNKNOWN`.
    #[schema(example = "PENDING")]
    shipping_status: &'static str,
    /// ISO 4217 code of its amounts.
    #[schema(example = "USD")]
    currency: &'static str,
    /// The sum of the lines.
    #[schema(example = "250.00", pattern = r"^\d+(\.\d+)?$")]
    subtotal: String,
    /// Tax on the subtotal.
    #[schema(example = "0.00", pattern = r"^\d+(\.\d+)?$")]
    tax: String,
    /// What shipping costs.
    #[schema(example = "0.00", pattern = r"^\d+(\.\d+)?$")]
    shipping_fee: String,
    /// What is charged.
    #[schema(example = "250.00", pattern = r"^\d+(\.\d+)?$")]
    order_total: String,
    /// Its lines.
    items: Vec<ItemView>,
    /// How the customer pays, in PaymentService's words.
    #[schema(example = "CARD")]
    payment_method: Option<String>,
    /// Where the parcel goes.
    #[schema(example = "1 Main Street, Springfield")]
    shipping_address: Option<String>,
    /// Why it was called off: `customer_request`, `staff`, `out_of_stock`, `payment_declined`,
    /// `peer_refused`, `imported`.
    cancel_reason: Option<&'static str>,
    /// Whether a cancel was asked for and is not decided so far.
    cancel_requested: bool,
    /// Who carries the parcel.
    #[schema(example = "DHL")]
    carrier: Option<String>,
    /// The carrier's number for the parcel.
    #[schema(example = "TRK100001")]
    tracking_no: Option<String>,
    /// Where its history is.
    #[schema(example = "/v1/orders/1/tracking/")]
    timeline_url: String,
    /// When it was accepted.
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    /// When it last changed.
    #[serde(with = "time::serde::rfc3339")]
    updated_at: OffsetDateTime,
    /// Rises with every change.
    #[schema(example = 6, minimum = 1)]
    version: i32,
    /// What this caller can do with it now: `cancel`, `update`.
    #[schema(example = json!(["cancel"]))]
    available_actions: Vec<&'static str>,
}

impl OrderView {
    /// The order as this caller sees it.
    pub fn new(order: Order, caller: &Principal) -> Self {
        let available_actions = actions(&order, caller);
        let Order { totals, state, .. } = order;
        Self {
            order_id: order.order_id.0,
            customer_id: order.customer_id.0,
            order_status: state.order_status.as_str(),
            payment_status: state.payment_status.as_str(),
            shipping_status: state.shipping_status.as_str(),
            currency: order.currency.code(),
            subtotal: totals.subtotal.to_string(),
            tax: totals.tax.to_string(),
            shipping_fee: totals.shipping_fee.to_string(),
            order_total: totals.order_total.to_string(),
            items: order.items.into_iter().map(ItemView::from).collect(),
            payment_method: order.payment_method,
            shipping_address: order.shipping_address,
            cancel_reason: state.cancel_reason.map(|reason| reason.as_str()),
            cancel_requested: order.cancel_requested,
            carrier: state.carrier,
            tracking_no: state.tracking_no,
            timeline_url: format!("/v1/orders/{}/tracking/", order.order_id),
            created_at: order.created_at,
            updated_at: order.updated_at,
            version: order.version,
            available_actions,
        }
    }

    /// The order as a line of a table: the columns of an export.
    pub fn cells(self) -> [String; 17] {
        let items: Vec<String> = self.items.iter().map(ItemView::in_words).collect();
        let moment = |at: OffsetDateTime| at.format(&Rfc3339).unwrap_or_default();
        [
            self.order_id.to_string(),
            self.customer_id.to_string(),
            self.order_status.to_owned(),
            self.payment_status.to_owned(),
            self.shipping_status.to_owned(),
            self.cancel_reason.unwrap_or_default().to_owned(),
            self.currency.to_owned(),
            self.subtotal,
            self.tax,
            self.shipping_fee,
            self.order_total,
            items.join("; "),
            self.shipping_address.unwrap_or_default(),
            self.carrier.unwrap_or_default(),
            self.tracking_no.unwrap_or_default(),
            moment(self.created_at),
            moment(self.updated_at),
        ]
    }

    /// Where the order is, for a `Location` header.
    pub fn location(&self) -> Option<HeaderValue> {
        HeaderValue::from_str(&format!("/v1/orders/{}/details/", self.order_id)).ok()
    }
}

/// What this caller can do with an order as it stands.
pub fn actions(order: &Order, caller: &Principal) -> Vec<&'static str> {
    let mut actions = Vec::new();
    if caller.role != Role::Service
        && order.state.accepts_cancel_request()
        && !order.cancel_requested
    {
        actions.push("cancel");
    }
    if caller.role != Role::Customer {
        actions.push("update");
    }
    actions
}

impl ItemView {
    /// The line in a few words, such as `2 × SKU0001 Walnut Lamp`.
    fn in_words(&self) -> String {
        let name = self.name.as_deref().unwrap_or_default();
        let words = format!("{} × {} {name}", self.quantity, self.sku);
        words.trim_end().to_owned()
    }
}

impl From<Item> for ItemView {
    fn from(item: Item) -> Self {
        Self {
            order_item_id: item.order_item_id,
            product_id: item.product_id,
            sku: item.sku,
            name: item.name,
            quantity: item.quantity,
            unit_price: item.unit_price.to_string(),
            line_total: item.line_total.to_string(),
        }
    }
}

/// A page of orders.
#[derive(Debug, Serialize, ToSchema)]
pub struct OrderList {
    /// How many orders there are on all pages; counted up to 10000.
    #[schema(example = 1, minimum = 0)]
    pub count: i64,
    /// Whether there are more than were counted.
    #[schema(example = false)]
    pub count_capped: bool,
    /// The URL of the next page, if there is one.
    #[schema(example = "http://localhost:8001/v1/orders/?cursor=…")]
    pub next: Option<String>,
    /// The URL of the page before, if there is one.
    pub previous: Option<String>,
    /// The orders of this page.
    pub results: Vec<OrderView>,
}

/// Something that happened to an order.
#[derive(Debug, Serialize, ToSchema)]
pub struct EventView {
    /// Its place in the order's history, from 1, without gaps.
    #[schema(example = 1, minimum = 1)]
    seq: i32,
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    at: OffsetDateTime,
    /// What, for machines.
    #[schema(example = "order_placed")]
    code: String,
    /// What, for the customer.
    #[schema(example = "We received your order.")]
    text: &'static str,
    /// The carrier's word, where it is about a parcel.
    #[schema(example = "IN_TRANSIT")]
    carrier_status: Option<String>,
    /// Its details, for staff: the peers' own words, and people's reasons.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>, example = json!({ "reason": "refunded by bank transfer" }))]
    data: Option<serde_json::Value>,
    /// Who caused it: `customer`, `staff`, `service`, `saga` or `import`; with the name for staff.
    #[schema(example = "customer")]
    actor: String,
}

impl EventView {
    /// The event as this caller sees it.
    pub fn new(event: &RecordedEvent, caller: &Principal) -> Self {
        let actor = match caller.role {
            Role::Customer => event.actor.split(':').next().unwrap_or_default(),
            Role::Staff | Role::Service => &event.actor,
        };
        Self {
            seq: event.seq,
            at: event.at,
            text: customer_message(&event.code),
            code: event.code.clone(),
            carrier_status: event.carrier_status().map(str::to_owned),
            data: (caller.role == Role::Staff).then(|| event.data.clone()),
            actor: actor.to_owned(),
        }
    }
}

/// Events of an order.
#[derive(Debug, Serialize, ToSchema)]
pub struct EventList {
    /// The order's number.
    #[schema(example = 1, minimum = 1)]
    pub order_id: i64,
    /// The order's version, which is the number of its latest event.
    #[schema(example = 6, minimum = 1)]
    pub version: i32,
    /// The URL of the events after these, if there are any so far.
    pub next: Option<String>,
    /// The events, oldest first.
    pub results: Vec<EventView>,
}

/// Where a parcel is and how it came there.
#[derive(Debug, Serialize, ToSchema)]
pub struct TrackingView {
    /// The order's number.
    #[schema(example = 1, minimum = 1)]
    pub order_id: i64,
    /// How far the order has come.
    #[schema(example = "SHIPPED")]
    pub order_status: &'static str,
    /// Where the parcel is.
    #[schema(example = "SHIPPED")]
    pub shipping_status: &'static str,
    /// Who carries it.
    #[schema(example = "DHL")]
    pub carrier: Option<String>,
    /// The carrier's number for it.
    #[schema(example = "TRK100001")]
    pub tracking_no: Option<String>,
    /// What has happened, oldest first.
    pub timeline: Vec<EventView>,
}
