//! PaymentService: charges an order's total and refunds it.

mod charge;
mod find;
mod refund;
mod status;

use rust_decimal::Decimal;
use time::OffsetDateTime;

use super::call::PeerClient;
use crate::domain::ids::{CustomerId, OrderId};
use crate::domain::money::{Currency, Money};

/// What a response may wrap a payment in.
const WRAPPERS: [&str; 2] = ["payment", "data"];

/// The client of PaymentService.
#[derive(Clone)]
pub struct Payment {
    peer: PeerClient,
}

impl Payment {
    pub(super) fn new(peer: PeerClient) -> Self {
        Self { peer }
    }
}

/// A charge to make.
#[derive(Clone, Copy, Debug)]
pub struct ChargeRequest<'a> {
    /// The order to pay for.
    pub order_id: OrderId,
    /// The customer who pays.
    pub customer_id: CustomerId,
    /// The amount.
    pub amount: Money,
    /// The currency of the amount.
    pub currency: Currency,
    /// The payment method, by PaymentService's name.
    pub method: Option<&'a str>,
}

/// PaymentService's confirmation of a charge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChargeReceipt {
    /// The payment id, which a refund needs. If it is missing, look up the order's payments.
    pub payment_id: Option<String>,
    /// The reference on the customer's statement.
    pub reference: Option<String>,
}

/// A payment as PaymentService lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaymentRecord {
    /// The payment id.
    pub payment_id: String,
    /// The status of the payment.
    pub status: PaymentRecordStatus,
    /// The amount, if the record says so.
    pub amount: Option<Decimal>,
    /// The reference on the customer's statement.
    pub reference: Option<String>,
    /// The idempotency key of the charge, if the record says so.
    pub idempotency_key: Option<String>,
    /// When the charge was made, if the record says so.
    pub created_at: Option<OffsetDateTime>,
}

/// The status of a payment record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PaymentRecordStatus {
    /// The shop has the money.
    Taken,
    /// The money went back to the customer.
    Refunded,
    /// The money was never taken.
    Failed,
    /// The payment is open, or its status is unknown.
    Other,
}
