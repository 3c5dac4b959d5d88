//! An order: what was bought, which never changes, and its state, which events move along.

use rust_decimal::Decimal;
use time::OffsetDateTime;

use super::cancel_reason::CancelReason;
use super::event::OrderEvent;
use super::ids::{CustomerId, OrderId};
use super::money::{Currency, Money};
use super::status::{OrderStatus, PaymentStatus, ShippingStatus, Status};

/// One line of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// The number of the line, given by the database.
    pub order_item_id: i64,
    /// The product's number, where the client named it.
    pub product_id: Option<i64>,
    /// The stock keeping unit.
    pub sku: String,
    /// What it is called, where the client said.
    pub name: Option<String>,
    /// How many, at least 1.
    pub quantity: u32,
    /// The price of one.
    pub unit_price: Money,
    /// `quantity × unit_price`.
    pub line_total: Money,
}

/// What an order comes to; frozen when it is accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Totals {
    /// The sum of the lines.
    pub subtotal: Money,
    /// Tax on the subtotal.
    pub tax: Money,
    /// What shipping costs.
    pub shipping_fee: Money,
    /// What is charged: the sum of the three.
    pub order_total: Money,
}

/// What the shop adds to the lines of an order.
#[derive(Clone, Copy, Debug)]
pub struct PricingRules {
    /// The currency of every order.
    pub currency: Currency,
    /// Tax as a share of the subtotal, 0.18 for 18 %.
    pub tax_rate: Decimal,
    /// A flat fee for shipping.
    pub shipping_fee: Money,
}

impl PricingRules {
    /// The totals of lines that come to `subtotal`, or `None` when that is more than an order may
    /// come to.
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

/// The part of an order that changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderState {
    /// How far the order has come.
    pub order_status: OrderStatus,
    /// Where the money is.
    pub payment_status: PaymentStatus,
    /// Where the parcel is.
    pub shipping_status: ShippingStatus,
    /// Why it was called off, from the moment that this is decided.
    pub cancel_reason: Option<CancelReason>,
    /// Who carries the parcel.
    pub carrier: Option<String>,
    /// The carrier's number for the parcel.
    pub tracking_no: Option<String>,
}

impl OrderState {
    /// The state of an order that was just accepted.
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

    /// Moves the state along with what happened. A fact that is behind the state changes nothing.
    fn apply(&mut self, fact: &OrderEvent) {
        match fact {
            OrderEvent::PaymentCharged { .. } => {
                forward(&mut self.payment_status, PaymentStatus::Paid);
            }
            OrderEvent::PaymentDeclined { .. } => {
                forward(&mut self.payment_status, PaymentStatus::Failed);
            }
            OrderEvent::PaymentRefunded { .. } => {
                // A charge whose answer never came may be found, and given back, in one go.
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
                forward(&mut self.payment_status, *payment_status)
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

    /// The state once all of this has happened, and everything that has then happened: the facts and
    /// what follows from them.
    pub fn after(&self, mut facts: Vec<OrderEvent>) -> (Self, Vec<OrderEvent>) {
        let mut state = self.clone();
        for fact in &facts {
            state.apply(fact);
        }
        let consequences = state.consequences();
        for fact in &consequences {
            state.apply(fact);
        }
        facts.extend(consequences);
        (state, facts)
    }

    /// What follows for the order from where its parcel is.
    fn consequences(&self) -> Vec<OrderEvent> {
        let (left, arrived) = match self.shipping_status {
            ShippingStatus::Shipped | ShippingStatus::Failed | ShippingStatus::Returned => {
                (true, false)
            }
            ShippingStatus::Delivered => (true, true),
            _ => (false, false),
        };
        let mut facts = Vec::new();
        if left && self.order_status == OrderStatus::Confirmed {
            facts.push(OrderEvent::OrderShipped);
        }
        if arrived
            && matches!(
                self.order_status,
                OrderStatus::Confirmed | OrderStatus::Shipped
            )
        {
            facts.push(OrderEvent::OrderDelivered);
        }
        facts
    }

    /// Whether the statuses let the order be called off.
    pub fn is_cancellable(&self) -> bool {
        self.order_status.reaches(OrderStatus::Cancelling)
    }

    /// Whether a cancel can still be asked for.
    pub fn accepts_cancel_request(&self) -> bool {
        matches!(
            self.order_status,
            OrderStatus::Pending | OrderStatus::Confirmed
        ) && self.shipping_status == ShippingStatus::Pending
    }
}

/// Moves `status` to `to` where the table leads there.
fn forward<S: Status>(status: &mut S, to: S) {
    if status.reaches(to) {
        *status = to;
    }
}

/// An order with its lines and its state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// Its number.
    pub order_id: OrderId,
    /// Whose it is.
    pub customer_id: CustomerId,
    /// The currency of its amounts.
    pub currency: Currency,
    /// What it comes to.
    pub totals: Totals,
    /// Its lines; orders that were taken over from elsewhere may have none.
    pub items: Vec<Item>,
    /// How the customer wants to pay, in PaymentService's words.
    pub payment_method: Option<String>,
    /// Where the parcel goes.
    pub shipping_address: Option<String>,
    /// The part that changes.
    pub state: OrderState,
    /// Whether a cancel was asked for and is not decided so far.
    pub cancel_requested: bool,
    /// Counts its events: 1 when placed.
    pub version: i32,
    /// When it was accepted.
    pub created_at: OffsetDateTime,
    /// When it last changed.
    pub updated_at: OffsetDateTime,
}
