//! The scenarios of generated orders. A scenario gives consistent statuses, events and fulfilment state.

use super::population::SplitMix64;

/// The course of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrderScenario {
    /// Placed moments ago; fulfilment has not started.
    Placed,
    /// Stuck at the charge until staff resolve it.
    Stuck,
    /// Confirmed; the parcel has not left.
    Confirmed,
    /// The parcel is on its way.
    Shipped,
    /// The parcel arrived.
    Delivered,
    /// The parcel arrived and was returned.
    Returned,
    /// The carrier could not deliver the parcel.
    Undeliverable,
    /// The payment was declined.
    Declined,
    /// An item was out of stock.
    OutOfStock,
    /// The customer cancelled the order.
    Cancelled,
}

/// An event: its code, the seconds since placement, and its data as JSON.
type ScenarioEvent = (&'static str, i64, &'static str);

const NO_DATA: &str = "{}";
const PLACED: &[ScenarioEvent] = &[("order_placed", 0, NO_DATA)];
const STUCK: &[ScenarioEvent] = &[
    ("order_placed", 0, NO_DATA),
    ("stock_reserved", 1, NO_DATA),
    (
        "person_needed",
        2,
        r#"{"step": "charge_payment", "reason": "charged another amount"}"#,
    ),
];
const DECLINED: &[ScenarioEvent] = &[
    ("order_placed", 0, NO_DATA),
    ("stock_reserved", 1, NO_DATA),
    ("payment_declined", 1, r#"{"reason": "insufficient funds"}"#),
    ("calling_off", 1, r#"{"reason": "payment_declined"}"#),
    ("stock_released", 2, NO_DATA),
    ("order_cancelled", 2, NO_DATA),
];
const OUT_OF_STOCK: &[ScenarioEvent] = &[
    ("order_placed", 0, NO_DATA),
    ("stock_refused", 1, r#"{"reason": "out of stock"}"#),
    ("calling_off", 1, r#"{"reason": "out_of_stock"}"#),
    ("order_cancelled", 1, NO_DATA),
];
const CANCELLED: &[ScenarioEvent] = &[
    ("order_placed", 0, NO_DATA),
    ("stock_reserved", 1, NO_DATA),
    ("payment_taken", 1, NO_DATA),
    ("shipment_created", 1, NO_DATA),
    ("order_confirmed", 2, NO_DATA),
    ("cancel_requested", 900, r#"{"reason": "customer_request"}"#),
    ("shipment_cancelled", 901, NO_DATA),
    ("calling_off", 901, r#"{"reason": "customer_request"}"#),
    ("payment_refunded", 902, NO_DATA),
    ("stock_released", 902, NO_DATA),
    ("order_cancelled", 902, NO_DATA),
];
/// A complete fulfilment; younger orders have the first events of it.
const FULFILLED: &[ScenarioEvent] = &[
    ("order_placed", 0, NO_DATA),
    ("stock_reserved", 1, NO_DATA),
    ("payment_taken", 1, NO_DATA),
    ("shipment_created", 1, NO_DATA),
    ("order_confirmed", 2, NO_DATA),
    (
        "parcel_moved",
        LEFT_S,
        r#"{"shipping_status": "SHIPPED", "carrier_status": "PICKED_UP"}"#,
    ),
    ("order_shipped", LEFT_S, NO_DATA),
    (
        "parcel_moved",
        ARRIVED_S,
        r#"{"shipping_status": "DELIVERED", "carrier_status": "DELIVERED"}"#,
    ),
    ("order_delivered", ARRIVED_S, NO_DATA),
    (
        "parcel_moved",
        BACK_S,
        r#"{"shipping_status": "RETURNED", "carrier_status": "RETURNED"}"#,
    ),
];
const UNDELIVERABLE: &[ScenarioEvent] = &[
    ("order_placed", 0, NO_DATA),
    ("stock_reserved", 1, NO_DATA),
    ("payment_taken", 1, NO_DATA),
    ("shipment_created", 1, NO_DATA),
    ("order_confirmed", 2, NO_DATA),
    (
        "parcel_moved",
        LEFT_S,
        r#"{"shipping_status": "SHIPPED", "carrier_status": "PICKED_UP"}"#,
    ),
    ("order_shipped", LEFT_S, NO_DATA),
    (
        "parcel_moved",
        ARRIVED_S,
        r#"{"shipping_status": "FAILED", "carrier_status": "FAILED"}"#,
    ),
];

const LEFT_S: i64 = 86_400;
const ARRIVED_S: i64 = 4 * 86_400;
const BACK_S: i64 = 12 * 86_400;
/// The age from which an order without problems is confirmed, in seconds.
const SETTLES_S: i64 = 120;

impl OrderScenario {
    /// Draws a scenario for an order of this age.
    pub fn new(age_s: i64, random: &mut SplitMix64) -> Self {
        let draw = random.below(100_000);
        match draw {
            0..40 if age_s < 30 * 86_400 => Self::Stuck,
            40..2_500 => Self::Declined,
            2_500..3_000 => Self::OutOfStock,
            3_000..6_000 if age_s > 1_000 => Self::Cancelled,
            6_000..6_100 if age_s > ARRIVED_S => Self::Undeliverable,
            6_100..7_000 if age_s > BACK_S => Self::Returned,
            _ if age_s > ARRIVED_S => Self::Delivered,
            _ if age_s > LEFT_S => Self::Shipped,
            _ if age_s > SETTLES_S => Self::Confirmed,
            _ => Self::Placed,
        }
    }

    /// The events, oldest first.
    pub fn events(self) -> &'static [ScenarioEvent] {
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
            Self::Cancelled => CANCELLED,
        }
    }

    /// Order, payment and shipping status.
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
            Self::Cancelled => ["CANCELLED", "REFUNDED", "CANCELLED"],
        }
    }

    /// The cancel reason; `\N`, the null of COPY, if the order is not cancelled.
    pub fn cancel_reason(self) -> &'static str {
        match self {
            Self::Declined => "payment_declined",
            Self::OutOfStock => "out_of_stock",
            Self::Cancelled => "customer_request",
            _ => "\\N",
        }
    }

    /// The phase and the step of the fulfilment.
    pub fn plan(self) -> (&'static str, &'static str) {
        match self {
            Self::Placed => ("doing", "reserve_stock"),
            Self::Stuck => ("stuck", "charge_payment"),
            Self::Declined | Self::OutOfStock | Self::Cancelled => ("undone", "\\N"),
            _ => ("completed", "\\N"),
        }
    }

    /// Whether a shipment was created.
    pub fn has_parcel(self) -> bool {
        self.has_payment() && self != Self::Stuck
    }

    /// Whether the payment was charged.
    pub fn has_payment(self) -> bool {
        !matches!(
            self,
            Self::Placed | Self::Stuck | Self::Declined | Self::OutOfStock
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::cancel_reason::CancelReason;
    use crate::domain::event::OrderEvent;
    use crate::domain::status::{OrderStatus, PaymentStatus, ShippingStatus, Status as _};

    const ALL: [OrderScenario; 10] = [
        OrderScenario::Placed,
        OrderScenario::Stuck,
        OrderScenario::Confirmed,
        OrderScenario::Shipped,
        OrderScenario::Delivered,
        OrderScenario::Returned,
        OrderScenario::Undeliverable,
        OrderScenario::Declined,
        OrderScenario::OutOfStock,
        OrderScenario::Cancelled,
    ];

    #[test]
    fn generated_histories_use_known_statuses_and_events() {
        for scenario in ALL {
            let [order, payment, shipping] = scenario.statuses();
            assert!(OrderStatus::from_name(order).is_some());
            assert!(PaymentStatus::from_name(payment).is_some());
            assert!(ShippingStatus::from_name(shipping).is_some());
            let reason = scenario.cancel_reason();
            assert_eq!(
                CancelReason::from_name(reason).is_some(),
                order == "CANCELLED"
            );
            let mut last_s = 0;
            for (code, after_s, data) in scenario.events() {
                assert!(OrderEvent::CODES.contains(code), "{code}");
                assert!(
                    *after_s >= last_s,
                    "{scenario:?} goes back in time at {code}"
                );
                assert!(
                    serde_json::from_str::<serde_json::Value>(data).is_ok(),
                    "{data}"
                );
                last_s = *after_s;
            }
        }
    }
}
