//! Domain events. Each [`OrderEvent`] becomes one row of an order's history, numbered per order. The history is
//! at once the customer's timeline, the audit trail and the outbox.
//!
//! The event catalogue below is the only place that defines events: their codes, fields and customer messages.

use serde_json::Value;
use time::OffsetDateTime;

use super::cancel_reason::CancelReason;
use super::status::{PaymentStatus, ShippingStatus, Status};
use super::step::Step;

/// Defines [`OrderEvent`] from entries of the form
/// `"code" => Variant { field: Type, … }, "message for the customer";`.
///
/// The fields of a variant are also the fields of its stored JSON object.
macro_rules! event_catalogue {
    ($(
        $(#[$doc:meta])*
        $code:literal => $variant:ident $({ $($(#[$field_doc:meta])* $field:ident: $type:ty,)+ })?, $message:literal;
    )*) => {
        /// A domain event: something that happened to an order.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum OrderEvent {
            $($(#[$doc])* $variant $({ $($(#[$field_doc])* $field: $type,)+ })?,)*
        }

        impl OrderEvent {
            /// The code of every event.
            pub const CODES: &'static [&'static str] = &[$($code),*];

            /// The stable name of this kind of event, as stored and as the API sends it.
            pub fn code(&self) -> &'static str {
                match self { $(Self::$variant { .. } => $code,)* }
            }

            /// The details of this event as the JSON object that is stored.
            pub fn data(&self) -> Value {
                match self {
                    $(Self::$variant { $($($field),+)? } => {
                        let fields: Vec<(&str, Value)> = vec![$($((stringify!($field), $field.clone().into())),+)?];
                        fields.into_iter().collect()
                    })*
                }
            }
        }

        /// The message for the customer about an event with this code. A newer release may have stored a code
        /// that this release does not know; such an event gets a general message.
        pub fn customer_message(code: &str) -> &'static str {
            match code {
                $($code => $message,)*
                _ => "Your order was updated.",
            }
        }
    };
}

event_catalogue! {
    /// The service accepted the order.
    "order_placed" => OrderPlaced, "We received your order.";

    /// The order was imported from the earlier shop.
    "order_imported" => OrderImported, "Your order was imported from our earlier shop.";

    /// Inventory reserved every line.
    "stock_reserved" => StockReserved {
        /// Inventory's id of the reservation.
        reservation_id: String,
    }, "Your items are reserved.";

    /// Inventory could not reserve every line.
    "stock_refused" => StockRefused {
        /// Inventory's message, for staff.
        reason: String,
    }, "An item is not in stock.";

    /// Payment charged the total.
    "payment_taken" => PaymentCharged {
        /// Payment's id of the charge.
        payment_id: String,
        /// Payment's reference for statements.
        reference: Option<String>,
    }, "Your payment was received.";

    /// Payment declined the charge.
    "payment_declined" => PaymentDeclined {
        /// Payment's message, for staff.
        reason: String,
    }, "Your payment was declined.";

    /// Shipping accepted the shipment.
    "shipment_created" => ShipmentCreated {
        /// Shipping's id of the shipment.
        shipment_id: String,
        /// The name of the carrier.
        carrier: Option<String>,
        /// The carrier's tracking number.
        tracking_no: Option<String>,
    }, "Your parcel is being prepared.";

    /// Shipping refused the shipment.
    "shipment_refused" => ShipmentRefused {
        /// Shipping's message, for staff.
        reason: String,
    }, "Your parcel could not be shipped.";

    /// Inventory refused to commit the reserved stock.
    "stock_commit_refused" => StockCommitRefused {
        /// Inventory's message, for staff.
        reason: String,
    }, "An item is no longer in stock.";

    /// Stock, payment and shipment are settled.
    "order_confirmed" => OrderConfirmed, "Your order is confirmed.";

    /// The carrier reported a new status of the parcel.
    "parcel_moved" => ShippingStatusChanged {
        /// The new status.
        shipping_status: ShippingStatus,
        /// The carrier's word for it.
        carrier_status: String,
    }, "There is news of your parcel.";

    /// Payment or a member of staff reported a new status of the payment.
    "payment_moved" => PaymentStatusChanged {
        /// The new status.
        payment_status: PaymentStatus,
    }, "There is news of your payment.";

    /// The parcel left the warehouse.
    "order_shipped" => OrderShipped, "Your order is on its way.";

    /// The parcel arrived.
    "order_delivered" => OrderDelivered, "Your order was delivered.";

    /// The customer or a member of staff requested a cancellation.
    "cancel_requested" => CancelRequested {
        /// Who requested it.
        reason: CancelReason,
    }, "Cancellation was requested.";

    /// The cancel request came too late: Shipping could not recall the parcel.
    "cancel_refused" => CancelRefused {
        /// Shipping's message, for staff.
        reason: String,
    }, "Your order was already on its way and could not be cancelled.";

    /// Compensation of the completed steps started.
    "calling_off" => CompensationStarted {
        /// Why the order is cancelled.
        reason: CancelReason,
    }, "Your order is being cancelled.";

    /// Shipping recalled the parcel before it left.
    "shipment_cancelled" => ShipmentCancelled {
        /// Shipping's id of the shipment.
        shipment_id: String,
    }, "Your parcel was recalled.";

    /// Payment refunded the charge.
    "payment_refunded" => PaymentRefunded {
        /// Payment's id of the charge.
        payment_id: String,
    }, "Your payment was refunded.";

    /// Payment refunded a surplus charge: one beside the charge that pays for the order.
    "surplus_refunded" => SurplusPaymentRefunded {
        /// Payment's id of the charge.
        payment_id: String,
    }, "A second payment of the same order was refunded.";

    /// Shipping cancelled a surplus shipment: one beside the shipment that carries the order.
    "surplus_cancelled" => SurplusShipmentCancelled {
        /// Shipping's id of the shipment.
        shipment_id: String,
    }, "A second parcel of the same order was recalled.";

    /// Reconciliation found that a peer's ledger disagrees with the order, and started a repair.
    "discrepancy_found" => DiscrepancyFound {
        /// The names of the findings.
        findings: Vec<&'static str>,
        /// The findings as text, for staff.
        reason: String,
    }, "We are looking into your order.";

    /// Inventory released the reserved stock.
    "stock_released" => StockReleased, "Your items are no longer reserved.";

    /// The order is cancelled and every completed step is compensated.
    "order_cancelled" => OrderCancelled, "Your order is cancelled.";

    /// Staff resolved a stuck saga.
    "person_decided" => InterventionResolved {
        /// The decision: `retry`, `completed` or `cancelled`.
        decision: &'static str,
        /// The reason that staff gave.
        reason: String,
    }, "We have looked into your order.";

    /// The saga is stuck until staff resolve it.
    "person_needed" => InterventionRequired {
        /// The step at which it is stuck.
        step: Step,
        /// Why it is stuck.
        reason: String,
    }, "We are looking into your order.";
}

macro_rules! stored_by_name {
    ($($type:ty),*) => {
        $(impl From<$type> for Value {
            fn from(value: $type) -> Self {
                value.as_str().into()
            }
        })*
    };
}

stored_by_name!(CancelReason, PaymentStatus, ShippingStatus, Step);

/// The originator of an event: `customer:5`, `staff:1000`, `service:shipping`, `saga`,
/// `reconciliation` or `import`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Actor(String);

impl Actor {
    /// The saga that fulfils the order.
    pub fn saga() -> Self {
        Self("saga".to_owned())
    }

    /// The reconciliation with the peers' ledgers.
    pub fn reconciliation() -> Self {
        Self("reconciliation".to_owned())
    }

    /// The importer.
    pub fn import() -> Self {
        Self("import".to_owned())
    }

    /// A caller of the API, by role and name.
    pub fn caller(role: &str, name: impl std::fmt::Display) -> Self {
        Self(format!("{role}:{name}"))
    }

    /// The text that is stored.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A domain event as it was stored. Its code may come from a newer release, so it stays a text.
#[derive(Clone, Debug)]
pub struct RecordedEvent {
    /// The position in the order's history, from 1, without gaps.
    pub seq: i32,
    /// The kind of event, see [`OrderEvent::code`].
    pub code: String,
    /// The originator, see [`Actor`].
    pub actor: String,
    /// The details, see [`OrderEvent::data`]. They include messages of peers and reasons of staff, which
    /// customers must not see.
    pub data: Value,
    /// The time of the event, by the database's clock.
    pub at: OffsetDateTime,
}

impl RecordedEvent {
    /// The carrier's word for the parcel's status, in events that report one.
    pub fn carrier_status(&self) -> Option<&str> {
        self.data.get("carrier_status").and_then(Value::as_str)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use serde_json::json;

    use super::*;

    #[test]
    fn every_event_has_a_code_and_a_message_of_its_own() {
        let codes: HashSet<_> = OrderEvent::CODES.iter().collect();
        assert_eq!(codes.len(), OrderEvent::CODES.len());
        for code in OrderEvent::CODES {
            assert_ne!(
                customer_message(code),
                customer_message("something else"),
                "{code}"
            );
        }
    }

    #[test]
    fn details_are_stored_under_the_names_of_the_fields() {
        let text = || "text".to_owned();
        for (event, data) in [
            (OrderEvent::OrderPlaced, json!({})),
            (
                OrderEvent::ShipmentCreated {
                    shipment_id: text(),
                    carrier: Some(text()),
                    tracking_no: None,
                },
                json!({ "shipment_id": "text", "carrier": "text", "tracking_no": null }),
            ),
            (
                OrderEvent::ShippingStatusChanged {
                    shipping_status: ShippingStatus::Shipped,
                    carrier_status: text(),
                },
                json!({ "shipping_status": "SHIPPED", "carrier_status": "text" }),
            ),
            (
                OrderEvent::PaymentStatusChanged {
                    payment_status: PaymentStatus::Refunded,
                },
                json!({ "payment_status": "REFUNDED" }),
            ),
            (
                OrderEvent::CompensationStarted {
                    reason: CancelReason::OutOfStock,
                },
                json!({ "reason": "out_of_stock" }),
            ),
            (
                OrderEvent::DiscrepancyFound {
                    findings: vec!["orphan_charge"],
                    reason: text(),
                },
                json!({ "findings": ["orphan_charge"], "reason": "text" }),
            ),
            (
                OrderEvent::InterventionRequired {
                    step: Step::ChargePayment,
                    reason: text(),
                },
                json!({ "step": "charge_payment", "reason": "text" }),
            ),
        ] {
            assert_eq!(event.data(), data, "{event:?}");
        }
    }
}
