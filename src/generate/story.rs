//! What becomes of a made-up order: its statuses, its history and where its fulfilment stands, all
//! three telling the same.

use super::shop::{Chance, Shop};

/// How an order went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Placed a moment ago.
    Placed,
    /// Its charge needs a person.
    Stuck,
    /// Waits for its parcel to leave.
    Confirmed,
    /// On its way.
    Shipped,
    /// Arrived.
    Delivered,
    /// Arrived and was sent back.
    Returned,
    /// Cannot be delivered.
    Undeliverable,
    /// Its payment was declined.
    Declined,
    /// An item was out of stock.
    OutOfStock,
    /// The customer called it off.
    CalledOff,
}

/// Something that happened: what, after how many seconds, and what else is known of it.
type Step = (&'static str, i64, &'static str);

const NOTHING: &str = "{}";
const PLACED: &[Step] = &[("order_placed", 0, NOTHING)];
const STUCK: &[Step] = &[
    ("order_placed", 0, NOTHING),
    ("stock_reserved", 1, NOTHING),
    (
        "person_needed",
        2,
        r#"{"step": "charge_payment", "reason": "charged another amount"}"#,
    ),
];
const DECLINED: &[Step] = &[
    ("order_placed", 0, NOTHING),
    ("stock_reserved", 1, NOTHING),
    ("payment_declined", 1, r#"{"reason": "insufficient funds"}"#),
    ("calling_off", 1, r#"{"reason": "payment_declined"}"#),
    ("stock_released", 2, NOTHING),
    ("order_cancelled", 2, NOTHING),
];
const OUT_OF_STOCK: &[Step] = &[
    ("order_placed", 0, NOTHING),
    ("stock_refused", 1, r#"{"reason": "out of stock"}"#),
    ("calling_off", 1, r#"{"reason": "out_of_stock"}"#),
    ("order_cancelled", 1, NOTHING),
];
const CALLED_OFF: &[Step] = &[
    ("order_placed", 0, NOTHING),
    ("stock_reserved", 1, NOTHING),
    ("payment_taken", 1, NOTHING),
    ("shipment_created", 1, NOTHING),
    ("order_confirmed", 2, NOTHING),
    ("cancel_requested", 900, r#"{"reason": "customer_request"}"#),
    ("shipment_cancelled", 901, NOTHING),
    ("calling_off", 901, r#"{"reason": "customer_request"}"#),
    ("payment_refunded", 902, NOTHING),
    ("stock_released", 902, NOTHING),
    ("order_cancelled", 902, NOTHING),
];
/// Of an order that was fulfilled: as much of it as has happened so far.
const FULFILLED: &[Step] = &[
    ("order_placed", 0, NOTHING),
    ("stock_reserved", 1, NOTHING),
    ("payment_taken", 1, NOTHING),
    ("shipment_created", 1, NOTHING),
    ("order_confirmed", 2, NOTHING),
    (
        "parcel_moved",
        LEFT_S,
        r#"{"shipping_status": "SHIPPED", "carrier_status": "PICKED_UP"}"#,
    ),
    ("order_shipped", LEFT_S, NOTHING),
    (
        "parcel_moved",
        ARRIVED_S,
        r#"{"shipping_status": "DELIVERED", "carrier_status": "DELIVERED"}"#,
    ),
    ("order_delivered", ARRIVED_S, NOTHING),
    (
        "parcel_moved",
        BACK_S,
        r#"{"shipping_status": "RETURNED", "carrier_status": "RETURNED"}"#,
    ),
];
const UNDELIVERABLE: &[Step] = &[
    ("order_placed", 0, NOTHING),
    ("stock_reserved", 1, NOTHING),
    ("payment_taken", 1, NOTHING),
    ("shipment_created", 1, NOTHING),
    ("order_confirmed", 2, NOTHING),
    (
        "parcel_moved",
        LEFT_S,
        r#"{"shipping_status": "SHIPPED", "carrier_status": "PICKED_UP"}"#,
    ),
    ("order_shipped", LEFT_S, NOTHING),
    (
        "parcel_moved",
        ARRIVED_S,
        r#"{"shipping_status": "FAILED", "carrier_status": "FAILED"}"#,
    ),
];

const LEFT_S: i64 = 86_400;
const ARRIVED_S: i64 = 4 * 86_400;
const BACK_S: i64 = 12 * 86_400;
/// How long an order is open that goes well.
const SETTLES_S: i64 = 120;

impl Fate {
    /// What becomes of an order of that age.
    pub fn new(age_s: i64, chance: &mut Chance) -> Self {
        let luck = chance.below(100_000);
        match luck {
            0..40 if age_s < 30 * 86_400 => Self::Stuck,
            40..2_500 => Self::Declined,
            2_500..3_000 => Self::OutOfStock,
            3_000..6_000 if age_s > 1_000 => Self::CalledOff,
            6_000..6_100 if age_s > ARRIVED_S => Self::Undeliverable,
            6_100..7_000 if age_s > BACK_S => Self::Returned,
            _ if age_s > ARRIVED_S => Self::Delivered,
            _ if age_s > LEFT_S => Self::Shipped,
            _ if age_s > SETTLES_S => Self::Confirmed,
            _ => Self::Placed,
        }
    }

    /// Everything that happened, in order.
    pub fn steps(self) -> &'static [Step] {
        match self {
            Self::Placed => PLACED,
            Self::Stuck => STUCK,
            Self::Confirmed => &FULFILLED[..5],
            Self::Shipped => &FULFILLED[..7],
            Self::Delivered => &FULFILLED[..9],
            Self::Returned => FULFILLED,
            Self::Undeliverable => UNDELIVERABLE,
            Self::Declined => DECLINED,
            Self::OutOfStock => OUT_OF_STOCK,
            Self::CalledOff => CALLED_OFF,
        }
    }

    /// The three statuses.
    pub fn statuses(self) -> [&'static str; 3] {
        match self {
            Self::Placed | Self::Stuck => ["PENDING", "PENDING", "PENDING"],
            Self::Confirmed => ["CONFIRMED", "PAID", "PENDING"],
            Self::Shipped => ["SHIPPED", "PAID", "SHIPPED"],
            Self::Delivered => ["DELIVERED", "PAID", "DELIVERED"],
            Self::Returned => ["DELIVERED", "PAID", "RETURNED"],
            Self::Undeliverable => ["SHIPPED", "PAID", "FAILED"],
            Self::Declined => ["CANCELLED", "FAILED", "CANCELLED"],
            Self::OutOfStock => ["CANCELLED", "PENDING", "CANCELLED"],
            Self::CalledOff => ["CANCELLED", "REFUNDED", "CANCELLED"],
        }
    }

    /// Why it was called off; `\N` when it was not.
    pub fn cancel_reason(self) -> &'static str {
        match self {
            Self::Declined => "payment_declined",
            Self::OutOfStock => "out_of_stock",
            Self::CalledOff => "customer_request",
            _ => "\\N",
        }
    }

    /// Phase and step of its fulfilment.
    pub fn plan(self) -> (&'static str, &'static str) {
        match self {
            Self::Placed => ("doing", "reserve_stock"),
            Self::Stuck => ("stuck", "charge_payment"),
            Self::Declined | Self::OutOfStock | Self::CalledOff => ("undone", "\\N"),
            _ => ("completed", "\\N"),
        }
    }

    /// Whether it has, or had, a parcel.
    pub fn has_parcel(self) -> bool {
        self.has_payment() && self != Self::Stuck
    }

    /// Whether it was charged.
    pub fn has_payment(self) -> bool {
        !matches!(
            self,
            Self::Placed | Self::Stuck | Self::Declined | Self::OutOfStock
        )
    }
}

/// A line of an order.
#[derive(Clone, Debug)]
pub struct Line {
    /// Its product's number.
    pub product: u64,
    /// Its product's name.
    pub name: String,
    /// How many.
    pub quantity: u64,
    /// The price of one, in minor units.
    pub price: u64,
}

/// A whole order.
#[derive(Clone, Debug)]
pub struct Story {
    /// Its number.
    pub order_id: i64,
    /// Whose it is.
    pub customer: u64,
    /// When it was placed, in seconds since 1970.
    pub placed_at: i64,
    /// How it went.
    pub fate: Fate,
    /// Its lines.
    pub lines: Vec<Line>,
    /// What shipping costs, in minor units.
    pub shipping_fee: u64,
    /// The chance that is left.
    pub chance: Chance,
}

impl Story {
    /// The order of that number, counted from 1.
    pub fn new(shop: &Shop, number: u64) -> Self {
        let mut chance = shop.chance(number);
        let placed_at = shop.placed_at(number, &mut chance);
        let customer = shop.customer(&mut chance);
        let fate = Fate::new(shop.age_s(placed_at), &mut chance);
        let count = 1 + chance.skewed(8);
        let mut lines: Vec<Line> = Vec::new();
        for _ in 0..count {
            let product = shop.product(&mut chance);
            if lines.iter().any(|line| line.product == product.number) {
                continue;
            }
            lines.push(Line {
                product: product.number,
                name: product.name,
                quantity: 1 + chance.skewed(6),
                price: product.price,
            });
        }
        Self {
            order_id: shop.order_id(number),
            customer,
            placed_at,
            fate,
            lines,
            shipping_fee: if chance.below(3) == 0 { 0 } else { 499 },
            chance,
        }
    }

    /// What its lines come to, in minor units.
    pub fn subtotal(&self) -> u64 {
        let lines = self.lines.iter();
        lines.map(|line| line.quantity * line.price).sum()
    }

    /// When the latest thing happened.
    pub fn changed_at(&self) -> i64 {
        let last = self.fate.steps().last();
        self.placed_at + last.map_or(0, |(_, after_s, _)| *after_s)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::cancel_reason::CancelReason;
    use crate::domain::event::OrderEvent;
    use crate::domain::status::{OrderStatus, PaymentStatus, ShippingStatus, Status as _};

    const ALL: [Fate; 10] = [
        Fate::Placed,
        Fate::Stuck,
        Fate::Confirmed,
        Fate::Shipped,
        Fate::Delivered,
        Fate::Returned,
        Fate::Undeliverable,
        Fate::Declined,
        Fate::OutOfStock,
        Fate::CalledOff,
    ];

    #[test]
    fn generated_histories_use_known_statuses_and_events() {
        for fate in ALL {
            let [order, payment, shipping] = fate.statuses();
            assert!(OrderStatus::from_name(order).is_some());
            assert!(PaymentStatus::from_name(payment).is_some());
            assert!(ShippingStatus::from_name(shipping).is_some());
            let reason = fate.cancel_reason();
            assert_eq!(
                CancelReason::from_name(reason).is_some(),
                order == "CANCELLED"
            );
            let mut last_s = 0;
            for (code, after_s, data) in fate.steps() {
                assert!(OrderEvent::CODES.contains(code), "{code}");
                assert!(*after_s >= last_s, "{fate:?} goes back in time at {code}");
                assert!(
                    serde_json::from_str::<serde_json::Value>(data).is_ok(),
                    "{data}"
                );
                last_s = *after_s;
            }
        }
    }
}
