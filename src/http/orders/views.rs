//! The JSON representations of orders and events.

use axum::http::HeaderValue;
use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use utoipa::ToSchema;

use crate::domain::event::{RecordedEvent, customer_message};
use crate::domain::order::{Item, Order};
use crate::domain::principal::{Principal, Role};
use crate::domain::status::Status as _;

/// An item of an order.
#[derive(Debug, Serialize, ToSchema)]
pub struct ItemView {
    /// The id of the item within the order.
    #[schema(example = 1, minimum = 1)]
    order_item_id: i64,
    /// The id of the product, if the client named it.
    #[schema(example = 17, minimum = 1)]
    product_id: Option<i64>,
    /// The stock keeping unit.
    #[schema(example = "SKU0001")]
    sku: String,
    /// The name, if the client gave one.
    #[schema(example = "Walnut Lamp")]
    name: Option<String>,
    /// The quantity.
    #[schema(example = 2, minimum = 1)]
    quantity: u32,
    /// The price of one unit.
    #[schema(example = "100.00", pattern = r"^\d+(\.\d+)?$")]
    unit_price: String,
    /// `quantity × unit_price`.
    #[schema(example = "200.00", pattern = r"^\d+(\.\d+)?$")]
    line_total: String,
}

/// An order. Amounts are strings with the decimals of the currency.
#[derive(Debug, Serialize, ToSchema)]
pub struct OrderView {
    /// The id of the order.
    #[schema(example = 1, minimum = 1)]
    order_id: i64,
    /// The id of the customer.
    #[schema(example = 5, minimum = 1)]
    customer_id: i64,
    /// The status of the order: `PENDING`, `CONFIRMED`, `SHIPPED`, `DELIVERED`, `CANCELLING`, `CANCELLED`.
    #[schema(example = "CONFIRMED")]
    order_status: &'static str,
    /// The status of the payment: `PENDING`, `PAID`, `FAILED`, `REFUNDED`.
    #[schema(example = "PAID")]
    payment_status: &'static str,
    /// The status of the parcel: `PENDING`, `SHIPPED`, `DELIVERED`, `FAILED`, `CANCELLED`, `RETURNED`,
    /// `UNKNOWN`.
    #[schema(example = "PENDING")]
    shipping_status: &'static str,
    /// The currency of the amounts (ISO 4217).
    #[schema(example = "USD")]
    currency: &'static str,
    /// The sum of the items.
    #[schema(example = "250.00", pattern = r"^\d+(\.\d+)?$")]
    subtotal: String,
    /// The tax on the subtotal.
    #[schema(example = "0.00", pattern = r"^\d+(\.\d+)?$")]
    tax: String,
    /// The shipping fee.
    #[schema(example = "0.00", pattern = r"^\d+(\.\d+)?$")]
    shipping_fee: String,
    /// The total that is charged.
    #[schema(example = "250.00", pattern = r"^\d+(\.\d+)?$")]
    order_total: String,
    /// The items.
    items: Vec<ItemView>,
    /// The payment method, as PaymentService names it.
    #[schema(example = "CARD")]
    payment_method: Option<String>,
    /// The delivery address.
    #[schema(example = "1 Main Street, Springfield")]
    shipping_address: Option<String>,
    /// The reason of the cancellation: `customer_request`, `staff`, `out_of_stock`, `payment_declined`,
    /// `peer_refused`, `imported`.
    cancel_reason: Option<&'static str>,
    /// Whether a cancel request is pending.
    cancel_requested: bool,
    /// The carrier of the parcel.
    #[schema(example = "DHL")]
    carrier: Option<String>,
    /// The tracking number of the parcel.
    #[schema(example = "TRK100001")]
    tracking_no: Option<String>,
    /// The URL of the tracking.
    #[schema(example = "/v1/orders/1/tracking/")]
    timeline_url: String,
    /// When the order was placed.
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    /// When the order last changed.
    #[serde(with = "time::serde::rfc3339")]
    updated_at: OffsetDateTime,
    /// The version; every change increases it.
    #[schema(example = 6, minimum = 1)]
    version: i32,
    /// The actions that the caller may take now: `cancel`, `update`.
    #[schema(example = json!(["cancel"]))]
    available_actions: Vec<&'static str>,
}

impl OrderView {
    /// The order as the caller sees it.
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

    /// The order as a row of an export.
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

    /// The value of the `Location` header.
    pub fn location(&self) -> Option<HeaderValue> {
        HeaderValue::from_str(&format!("/v1/orders/{}/details/", self.order_id)).ok()
    }
}

/// The actions that the caller may take in the present state of the order.
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
    /// The item as text, such as `2 × SKU0001 Walnut Lamp`.
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
    /// The number of orders on all pages, counted up to 10000.
    #[schema(example = 1, minimum = 0)]
    pub count: i64,
    /// Whether there are more orders than counted.
    #[schema(example = false)]
    pub count_capped: bool,
    /// The URL of the next page, if any.
    #[schema(example = "http://localhost:8001/v1/orders/?cursor=…")]
    pub next: Option<String>,
    /// The URL of the previous page, if any.
    pub previous: Option<String>,
    /// The orders of this page.
    pub results: Vec<OrderView>,
}

/// An event of an order.
#[derive(Debug, Serialize, ToSchema)]
pub struct EventView {
    /// The number of the event within the order, from 1, without gaps.
    #[schema(example = 1, minimum = 1)]
    seq: i32,
    /// When the event happened.
    #[serde(with = "time::serde::rfc3339")]
    at: OffsetDateTime,
    /// The event code, for programs.
    #[schema(example = "order_placed")]
    code: String,
    /// The message for the customer.
    #[schema(example = "We received your order.")]
    text: &'static str,
    /// The carrier's status, for events of a parcel.
    #[schema(example = "IN_TRANSIT")]
    carrier_status: Option<String>,
    /// The details, for staff: the answers of peers, and the reasons of decisions.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>, example = json!({ "reason": "refunded by bank transfer" }))]
    data: Option<serde_json::Value>,
    /// The actor: `customer`, `staff`, `service`, `saga` or `import`; staff also see the name.
    #[schema(example = "customer")]
    actor: String,
}

impl EventView {
    /// The event as the caller sees it.
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

/// The events of an order.
#[derive(Debug, Serialize, ToSchema)]
pub struct EventList {
    /// The id of the order.
    #[schema(example = 1, minimum = 1)]
    pub order_id: i64,
    /// The version of the order, which is the number of its last event.
    #[schema(example = 6, minimum = 1)]
    pub version: i32,
    /// The URL of the following events, if any.
    pub next: Option<String>,
    /// The events, oldest first.
    pub results: Vec<EventView>,
}

/// The tracking of a parcel.
#[derive(Debug, Serialize, ToSchema)]
pub struct TrackingView {
    /// The id of the order.
    #[schema(example = 1, minimum = 1)]
    pub order_id: i64,
    /// The status of the order.
    #[schema(example = "SHIPPED")]
    pub order_status: &'static str,
    /// The status of the parcel.
    #[schema(example = "SHIPPED")]
    pub shipping_status: &'static str,
    /// The carrier.
    #[schema(example = "DHL")]
    pub carrier: Option<String>,
    /// The tracking number.
    #[schema(example = "TRK100001")]
    pub tracking_no: Option<String>,
    /// The events, oldest first.
    pub timeline: Vec<EventView>,
}
