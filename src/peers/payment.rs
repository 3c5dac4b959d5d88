//! PaymentService: takes an order's total and gives it back.

mod charge;
mod find;
mod outcome;
mod refund;

use rust_decimal::Decimal;
use time::OffsetDateTime;

use super::call::Peer;
use crate::domain::ids::{CustomerId, OrderId};
use crate::domain::money::{Currency, Money};

/// What a reply may wrap a payment in.
const WRAPPERS: [&str; 2] = ["payment", "data"];

/// The client of PaymentService.
#[derive(Clone)]
pub struct Payment {
    peer: Peer,
}

impl Payment {
    pub(super) fn new(peer: Peer) -> Self {
        Self { peer }
    }
}

/// What to charge, and to whom.
#[derive(Clone, Copy, Debug)]
pub struct ChargeRequest<'a> {
    /// For which order.
    pub order_id: OrderId,
    /// Who pays.
    pub customer_id: CustomerId,
    /// How much.
    pub amount: Money,
    /// In which currency.
    pub currency: Currency,
    /// How, in PaymentService's words.
    pub method: Option<&'a str>,
}

/// A charge that was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChargeReceipt {
    /// Payment's number for it, without which it cannot be refunded; where it is missing, look the
    /// order up.
    pub payment_id: Option<String>,
    /// Payment's reference for statements.
    pub reference: Option<String>,
}

/// What PaymentService has about an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaymentRecord {
    /// Payment's number for it.
    pub payment_id: String,
    /// Where the money is.
    pub status: PaymentRecordStatus,
    /// How much, where it says so.
    pub amount: Option<Decimal>,
    /// Payment's reference for statements.
    pub reference: Option<String>,
    /// The key that it was made under, where it says so.
    pub idempotency_key: Option<String>,
    /// When it was made, where it says so.
    pub created_at: Option<OffsetDateTime>,
}

/// Where the money of one payment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PaymentRecordStatus {
    /// With the shop.
    Taken,
    /// Back with the customer.
    Refunded,
    /// It was never taken.
    Failed,
    /// Open, or a word that is not known.
    Other,
}
