//! An order: the immutable purchase, and the state that events change.

use rust_decimal::Decimal;
use time::OffsetDateTime;

use super::cancel_reason::CancelReason;
use super::event::OrderEvent;
use super::ids::{CustomerId, OrderId};
use super::money::{Currency, Money};
use super::status::{OrderStatus, PaymentStatus, ShippingStatus, Status};

/// A line of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// The id of the line, assigned by the database.
    pub order_item_id: i64,
    /// The product id, if the client sent one.
    pub product_id: Option<i64>,
    /// The stock keeping unit.
    pub sku: String,
    /// The product name, if the client sent one.
    pub name: Option<String>,
    /// The quantity, at least 1.
    pub quantity: u32,
    /// The price of one unit.
    pub unit_price: Money,
    /// `quantity × unit_price`.
    pub line_total: Money,
}

/// The totals of an order, fixed at acceptance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Totals {
    /// The sum of the lines.
    pub subtotal: Money,
    /// Tax on the subtotal.
    pub tax: Money,
    /// The shipping fee.
    pub shipping_fee: Money,
    /// The amount to charge: the sum of the three.
    pub order_total: Money,
}

/// The rules that turn a subtotal into an order total.
#[derive(Clone, Copy, Debug)]
pub struct PricingRules {
    /// The currency of every order.
    pub currency: Currency,
    /// The tax rate on the subtotal, 0.18 for 18 %.
    pub tax_rate: Decimal,
    /// The flat shipping fee.
    pub shipping_fee: Money,
}

impl PricingRules {
    /// The totals for this subtotal; `None` if the order total exceeds [`MAX_AMOUNT`](super::money::MAX_AMOUNT).
    pub fn totals(&self, subtotal: Money) -> Option<Totals> {
        let tax = subtotal.share(self.tax_rate, self.currency)?;
        let order_total = subtotal.plus(tax)?.plus(self.shipping_fee)?;
        let totals = Totals {
            subtotal,
            tax,
            shipping_fee: self.shipping_fee,
            order_total,
        };
        (!order_total.exceeds_limit()).then_some(totals)
    }
}

/// The mutable part of an order: a state machine driven by events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderState {
    /// The order status.
    pub order_status: OrderStatus,
    /// The payment status.
    pub payment_status: PaymentStatus,
    /// The shipping status.
    pub shipping_status: ShippingStatus,
    /// Why the order is cancelled; set when compensation starts.
    pub cancel_reason: Option<CancelReason>,
    /// The name of the carrier.
    pub carrier: Option<String>,
    /// The carrier's tracking number.
    pub tracking_no: Option<String>,
}

impl OrderState {
    /// The state of a newly accepted order.
    pub fn placed() -> Self {
        Self {
            order_status: OrderStatus::Pending,
            payment_status: PaymentStatus::Pending,
            shipping_status: ShippingStatus::Pending,
            cancel_reason: None,
            carrier: None,
            tracking_no: None,
        }
    }

    /// Applies one event. An event that the state has already passed changes nothing.
    fn apply(&mut self, event: &OrderEvent) {
        match event {
            OrderEvent::PaymentCharged { .. } => {
                forward(&mut self.payment_status, PaymentStatus::Paid);
            }
            OrderEvent::PaymentDeclined { .. } => {
                forward(&mut self.payment_status, PaymentStatus::Failed);
            }
            OrderEvent::PaymentRefunded { .. } => {
                // A charge whose response was lost may be found and refunded at once: PENDING reaches REFUNDED.
                forward(&mut self.payment_status, PaymentStatus::Refunded);
            }
            OrderEvent::ShipmentCreated {
                carrier,
                tracking_no,
                ..
            } => {
                self.carrier.clone_from(carrier);
                self.tracking_no.clone_from(tracking_no);
            }
            OrderEvent::ShippingStatusChanged {
                shipping_status, ..
            } => forward(&mut self.shipping_status, *shipping_status),
            OrderEvent::PaymentStatusChanged { payment_status } => {
                forward(&mut self.payment_status, *payment_status);
            }
            OrderEvent::OrderConfirmed => forward(&mut self.order_status, OrderStatus::Confirmed),
            OrderEvent::OrderShipped => forward(&mut self.order_status, OrderStatus::Shipped),
            OrderEvent::OrderDelivered => forward(&mut self.order_status, OrderStatus::Delivered),
            OrderEvent::CompensationStarted { reason } if self.is_cancellable() => {
                self.order_status = OrderStatus::Cancelling;
                self.cancel_reason = Some(*reason);
            }
            OrderEvent::OrderCancelled if self.order_status == OrderStatus::Cancelling => {
                self.order_status = OrderStatus::Cancelled;
                forward(&mut self.shipping_status, ShippingStatus::Cancelled);
            }
            OrderEvent::OrderPlaced
            | OrderEvent::OrderImported
            | OrderEvent::StockReserved { .. }
            | OrderEvent::StockRefused { .. }
            | OrderEvent::ShipmentRefused { .. }
            | OrderEvent::StockCommitRefused { .. }
            | OrderEvent::ShipmentCancelled { .. }
            | OrderEvent::SurplusPaymentRefunded { .. }
            | OrderEvent::SurplusShipmentCancelled { .. }
            | OrderEvent::DiscrepancyFound { .. }
            | OrderEvent::StockReleased
            | OrderEvent::CancelRequested { .. }
            | OrderEvent::CompensationStarted { .. }
            | OrderEvent::OrderCancelled
            | OrderEvent::CancelRefused { .. }
            | OrderEvent::InterventionResolved { .. }
            | OrderEvent::InterventionRequired { .. } => {}
        }
    }

    /// Applies `events` and the events that follow from them. Returns the new state and all events.
    pub fn after(&self, mut events: Vec<OrderEvent>) -> (Self, Vec<OrderEvent>) {
        let mut state = self.clone();
        for event in &events {
            state.apply(event);
        }
        let derived = state.derived_events();
        for event in &derived {
            state.apply(event);
        }
        events.extend(derived);
        (state, events)
    }

    /// The events of the order that follow from its shipping status.
    fn derived_events(&self) -> Vec<OrderEvent> {
        let (left, arrived) = match self.shipping_status {
            ShippingStatus::Shipped | ShippingStatus::Failed | ShippingStatus::Returned => {
                (true, false)
            }
            ShippingStatus::Delivered => (true, true),
            _ => (false, false),
        };
        let mut events = Vec::new();
        if left && self.order_status == OrderStatus::Confirmed {
            events.push(OrderEvent::OrderShipped);
        }
        if arrived
            && matches!(
                self.order_status,
                OrderStatus::Confirmed | OrderStatus::Shipped
            )
        {
            events.push(OrderEvent::OrderDelivered);
        }
        events
    }

    /// Whether the order status permits compensation, that is, a transition to `CANCELLING`.
    pub fn is_cancellable(&self) -> bool {
        self.order_status.reaches(OrderStatus::Cancelling)
    }

    /// Whether a client may still request a cancellation.
    pub fn accepts_cancel_request(&self) -> bool {
        matches!(
            self.order_status,
            OrderStatus::Pending | OrderStatus::Confirmed
        ) && self.shipping_status == ShippingStatus::Pending
    }
}

/// Sets `status` to `to` if the transition table permits it.
fn forward<S: Status>(status: &mut S, to: S) {
    if status.reaches(to) {
        *status = to;
    }
}

/// An order with its items and its state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// The order id.
    pub order_id: OrderId,
    /// The customer who owns the order.
    pub customer_id: CustomerId,
    /// The currency of all amounts.
    pub currency: Currency,
    /// The totals.
    pub totals: Totals,
    /// The lines; imported orders may have none.
    pub items: Vec<Item>,
    /// The payment method, as PaymentService names it.
    pub payment_method: Option<String>,
    /// The shipping address.
    pub shipping_address: Option<String>,
    /// The mutable part.
    pub state: OrderState,
    /// Whether a cancel request is pending.
    pub cancel_requested: bool,
    /// The number of events so far, 1 after placement; the version for optimistic concurrency.
    pub version: i32,
    /// When the order was accepted.
    pub created_at: OffsetDateTime,
    /// When the order last changed.
    pub updated_at: OffsetDateTime,
}
