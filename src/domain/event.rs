//! What happens to an order. Every fact becomes a numbered event: the customer's timeline, the
//! audit trail and the outbox at once.

use serde_json::Value;
use time::OffsetDateTime;

use super::order::CancelReason;
use super::plan::Step;
use super::status::{PaymentStatus, ShippingStatus};

/// Something that happened to an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact {
    /// It was accepted.
    OrderPlaced,
    /// It was taken over from elsewhere.
    OrderImported,
    /// Inventory holds every line.
    StockReserved {
        /// Inventory's number for what it holds.
        reservation_id: String,
    },
    /// Inventory cannot hold every line.
    StockRefused {
        /// Inventory's words, for the operator.
        reason: String,
    },
    /// Payment took the total.
    PaymentTaken {
        /// Payment's number for the charge.
        payment_id: String,
        /// Payment's reference for statements.
        reference: Option<String>,
    },
    /// Payment refused the charge.
    PaymentDeclined {
        /// Payment's words, for the operator.
        reason: String,
    },
    /// Shipping took the parcel on.
    ShipmentCreated {
        /// Shipping's number for it.
        shipment_id: String,
        /// Who carries it.
        carrier: Option<String>,
        /// The carrier's number.
        tracking_no: Option<String>,
    },
    /// Shipping refused the parcel.
    ShipmentRefused {
        /// Shipping's words, for the operator.
        reason: String,
    },
    /// Inventory refused to hand out what it had reserved.
    StockCommitRefused {
        /// Inventory's words, for the operator.
        reason: String,
    },
    /// Stock, money and shipment are settled.
    OrderConfirmed,
    /// The parcel is somewhere else now.
    ParcelMoved {
        /// Our word for where it is.
        to: ShippingStatus,
        /// The carrier's word.
        carrier_status: String,
    },
    /// The money moved, by somebody else's word.
    PaymentMoved {
        /// Where it is now.
        to: PaymentStatus,
    },
    /// The parcel left.
    OrderShipped,
    /// The parcel arrived.
    OrderDelivered,
    /// Somebody asked to call the order off.
    CancelRequested {
        /// On whose behalf.
        reason: CancelReason,
    },
    /// It was too late to call the order off.
    CancelRefused {
        /// Shipping's words, for the operator.
        reason: String,
    },
    /// The order is being called off.
    CallingOff {
        /// Why.
        reason: CancelReason,
    },
    /// The parcel was called back before it left.
    ShipmentCancelled {
        /// Shipping's number for it.
        shipment_id: String,
    },
    /// The money went back.
    PaymentRefunded {
        /// Payment's number for the charge.
        payment_id: String,
    },
    /// A charge that the order had beside its own went back.
    SurplusRefunded {
        /// Payment's number for the charge.
        payment_id: String,
    },
    /// A parcel that the order had beside its own was called back.
    SurplusCancelled {
        /// Shipping's number for it.
        shipment_id: String,
    },
    /// A peer's ledger did not agree with the order, and it was set about to mend that.
    DiscrepancyFound {
        /// What did not agree, by the names of the findings.
        findings: Vec<&'static str>,
        /// In words, for the operator.
        reason: String,
    },
    /// The stock went back.
    StockReleased,
    /// The order is called off, and everything that was done is undone.
    OrderCancelled,
    /// A person has decided how fulfilment goes on.
    PersonDecided {
        /// What: `retry`, `completed` or `cancelled`.
        decision: &'static str,
        /// Why, in that person's words.
        reason: String,
    },
    /// Fulfilment stands still until a person decides.
    PersonNeeded {
        /// Where it stands.
        step: Step,
        /// Why.
        reason: String,
    },
}

impl Fact {
    /// The name for machines.
    pub fn code(&self) -> &'static str {
        match self {
            Self::OrderPlaced => "order_placed",
            Self::OrderImported => "order_imported",
            Self::StockReserved { .. } => "stock_reserved",
            Self::StockRefused { .. } => "stock_refused",
            Self::PaymentTaken { .. } => "payment_taken",
            Self::PaymentDeclined { .. } => "payment_declined",
            Self::ShipmentCreated { .. } => "shipment_created",
            Self::ShipmentRefused { .. } => "shipment_refused",
            Self::StockCommitRefused { .. } => "stock_commit_refused",
            Self::OrderConfirmed => "order_confirmed",
            Self::ParcelMoved { .. } => "parcel_moved",
            Self::PaymentMoved { .. } => "payment_moved",
            Self::OrderShipped => "order_shipped",
            Self::OrderDelivered => "order_delivered",
            Self::CancelRequested { .. } => "cancel_requested",
            Self::CancelRefused { .. } => "cancel_refused",
            Self::CallingOff { .. } => "calling_off",
            Self::ShipmentCancelled { .. } => "shipment_cancelled",
            Self::PaymentRefunded { .. } => "payment_refunded",
            Self::SurplusRefunded { .. } => "surplus_refunded",
            Self::SurplusCancelled { .. } => "surplus_cancelled",
            Self::DiscrepancyFound { .. } => "discrepancy_found",
            Self::StockReleased => "stock_released",
            Self::OrderCancelled => "order_cancelled",
            Self::PersonDecided { .. } => "person_decided",
            Self::PersonNeeded { .. } => "person_needed",
        }
    }
}

/// Every name for machines.
pub const CODES: [&str; 26] = [
    "order_placed",
    "order_imported",
    "stock_reserved",
    "stock_refused",
    "payment_taken",
    "payment_declined",
    "shipment_created",
    "shipment_refused",
    "stock_commit_refused",
    "order_confirmed",
    "parcel_moved",
    "payment_moved",
    "order_shipped",
    "order_delivered",
    "cancel_requested",
    "cancel_refused",
    "calling_off",
    "shipment_cancelled",
    "payment_refunded",
    "surplus_refunded",
    "surplus_cancelled",
    "discrepancy_found",
    "stock_released",
    "order_cancelled",
    "person_decided",
    "person_needed",
];

/// The customer's words for an event, by its code.
pub fn words(code: &str) -> &'static str {
    match code {
        "order_placed" => "We received your order.",
        "order_imported" => "Your order was taken over from our earlier shop.",
        "stock_reserved" => "Your items are reserved.",
        "stock_refused" => "An item is not in stock.",
        "payment_taken" => "Your payment was received.",
        "payment_declined" => "Your payment was declined.",
        "shipment_created" => "Your parcel is being prepared.",
        "shipment_refused" => "Your parcel could not be shipped.",
        "stock_commit_refused" => "An item is no longer in stock.",
        "order_confirmed" => "Your order is confirmed.",
        "payment_moved" => "There is news of your payment.",
        "parcel_moved" => "There is news of your parcel.",
        "order_shipped" => "Your order is on its way.",
        "order_delivered" => "Your order was delivered.",
        "cancel_requested" => "Cancellation was requested.",
        "cancel_refused" => "Your order was already on its way and could not be cancelled.",
        "calling_off" => "Your order is being cancelled.",
        "shipment_cancelled" => "Your parcel was called back.",
        "payment_refunded" => "Your payment was refunded.",
        "surplus_refunded" => "A second payment of the same order was refunded.",
        "surplus_cancelled" => "A second parcel of the same order was called back.",
        "discrepancy_found" => "We are looking into your order.",
        "stock_released" => "Your items are no longer reserved.",
        "order_cancelled" => "Your order is cancelled.",
        "person_decided" => "We have looked into your order.",
        "person_needed" => "We are looking into your order.",
        _ => "Your order was updated.",
    }
}

/// Who caused an event: `customer:5`, `staff:1000`, `service:shipping`, `saga`, or
/// `reconciliation`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Actor(String);

impl Actor {
    /// Fulfilment itself.
    pub fn saga() -> Self {
        Self("saga".to_owned())
    }

    /// Reconciliation with the peers' ledgers.
    pub fn reconciliation() -> Self {
        Self("reconciliation".to_owned())
    }

    /// The importer.
    pub fn import() -> Self {
        Self("import".to_owned())
    }

    /// A caller by role and name.
    pub fn caller(role: &str, name: impl std::fmt::Display) -> Self {
        Self(format!("{role}:{name}"))
    }

    /// The text that is stored.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A fact as it was recorded.
#[derive(Clone, Debug)]
pub struct Event {
    /// Its place in the order's history, from 1, without gaps.
    pub seq: i32,
    /// The name for machines, see [`Fact::code`].
    pub code: String,
    /// Who caused it, see [`Actor`].
    pub actor: String,
    /// Its details, as an object; with peers' words and people's reasons, which are not for customers.
    pub data: Value,
    /// When, by the database's clock.
    pub at: OffsetDateTime,
}

impl Event {
    /// The carrier's word, where the event is about a parcel.
    pub fn carrier_status(&self) -> Option<&str> {
        self.data.get("carrier_status").and_then(Value::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_event_has_words_of_its_own() {
        for code in CODES {
            assert_ne!(words(code), words("something else"), "{code}");
        }
    }
}
