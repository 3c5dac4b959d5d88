//! An order: what was bought, which never changes, and its state, which events move along.

use rust_decimal::Decimal;
use time::OffsetDateTime;

use super::event::Fact;
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
pub struct Rates {
    /// The currency of every order.
    pub currency: Currency,
    /// Tax as a share of the subtotal, 0.18 for 18 %.
    pub tax_rate: Decimal,
    /// A flat fee for shipping.
    pub shipping_fee: Money,
}

impl Rates {
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

/// Why an order was called off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CancelReason {
    /// The customer asked.
    CustomerRequest,
    /// Somebody of the shop asked.
    Staff,
    /// Inventory could not reserve every line.
    OutOfStock,
    /// Payment refused the charge.
    PaymentDeclined,
    /// Shipping, or Inventory at the last step, refused.
    PeerRefused,
    /// It was taken over from elsewhere as cancelled.
    Imported,
}

impl CancelReason {
    /// Every reason.
    pub const ALL: [Self; 6] = [
        Self::CustomerRequest,
        Self::Staff,
        Self::OutOfStock,
        Self::PaymentDeclined,
        Self::PeerRefused,
        Self::Imported,
    ];

    /// The name on the wire and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CustomerRequest => "customer_request",
            Self::Staff => "staff",
            Self::OutOfStock => "out_of_stock",
            Self::PaymentDeclined => "payment_declined",
            Self::PeerRefused => "peer_refused",
            Self::Imported => "imported",
        }
    }

    /// Reads a name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == name)
    }
}

/// The part of an order that changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
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

impl State {
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
    fn apply(&mut self, fact: &Fact) {
        match fact {
            Fact::PaymentTaken { .. } => forward(&mut self.payment_status, PaymentStatus::Paid),
            Fact::PaymentDeclined { .. } => {
                forward(&mut self.payment_status, PaymentStatus::Failed)
            }
            Fact::PaymentRefunded { .. } => {
                // A charge whose answer never came may be found, and given back, in one go.
                forward(&mut self.payment_status, PaymentStatus::Refunded);
            }
            Fact::ShipmentCreated {
                carrier,
                tracking_no,
                ..
            } => {
                self.carrier.clone_from(carrier);
                self.tracking_no.clone_from(tracking_no);
            }
            Fact::ParcelMoved { to, .. } => forward(&mut self.shipping_status, *to),
            Fact::PaymentMoved { to } => forward(&mut self.payment_status, *to),
            Fact::OrderConfirmed => forward(&mut self.order_status, OrderStatus::Confirmed),
            Fact::OrderShipped => forward(&mut self.order_status, OrderStatus::Shipped),
            Fact::OrderDelivered => forward(&mut self.order_status, OrderStatus::Delivered),
            Fact::CallingOff { reason } if self.can_be_called_off() => {
                self.order_status = OrderStatus::Cancelling;
                self.cancel_reason = Some(*reason);
            }
            Fact::OrderCancelled if self.order_status == OrderStatus::Cancelling => {
                self.order_status = OrderStatus::Cancelled;
                forward(&mut self.shipping_status, ShippingStatus::Cancelled);
            }
            Fact::OrderPlaced
            | Fact::OrderImported
            | Fact::StockReserved { .. }
            | Fact::StockRefused { .. }
            | Fact::ShipmentRefused { .. }
            | Fact::StockCommitRefused { .. }
            | Fact::ShipmentCancelled { .. }
            | Fact::SurplusRefunded { .. }
            | Fact::SurplusCancelled { .. }
            | Fact::DiscrepancyFound { .. }
            | Fact::StockReleased
            | Fact::CancelRequested { .. }
            | Fact::CallingOff { .. }
            | Fact::OrderCancelled
            | Fact::CancelRefused { .. }
            | Fact::PersonDecided { .. }
            | Fact::PersonNeeded { .. } => {}
        }
    }

    /// The state once all of this has happened, and everything that has then happened: the facts and
    /// what follows from them.
    pub fn after(&self, mut facts: Vec<Fact>) -> (Self, Vec<Fact>) {
        let mut state = self.clone();
        facts.iter().for_each(|fact| state.apply(fact));
        let consequences = state.consequences();
        consequences.iter().for_each(|fact| state.apply(fact));
        facts.extend(consequences);
        (state, facts)
    }

    /// What follows for the order from where its parcel is.
    fn consequences(&self) -> Vec<Fact> {
        let (left, arrived) = match self.shipping_status {
            ShippingStatus::Shipped | ShippingStatus::Failed | ShippingStatus::Returned => {
                (true, false)
            }
            ShippingStatus::Delivered => (true, true),
            _ => (false, false),
        };
        let mut facts = Vec::new();
        if left && self.order_status == OrderStatus::Confirmed {
            facts.push(Fact::OrderShipped);
        }
        if arrived
            && matches!(
                self.order_status,
                OrderStatus::Confirmed | OrderStatus::Shipped
            )
        {
            facts.push(Fact::OrderDelivered);
        }
        facts
    }

    /// Whether the statuses let the order be called off.
    pub fn can_be_called_off(&self) -> bool {
        self.order_status.reaches(OrderStatus::Cancelling)
    }

    /// Whether a cancel can still be asked for.
    pub fn can_be_cancelled(&self) -> bool {
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
    pub state: State,
    /// Whether a cancel was asked for and is not decided so far.
    pub cancel_requested: bool,
    /// Counts its events: 1 when placed.
    pub version: i32,
    /// When it was accepted.
    pub created_at: OffsetDateTime,
    /// When it last changed.
    pub updated_at: OffsetDateTime,
}
