//! The Payment stand-in. It charges once per idempotency key and refunds at most the charged amount.

use axum::Router;
use axum::routing::{get, post};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::hub::Hub;
use super::table::{Row, Table};
use super::wire::amount;

mod charge;
mod look_up;
mod refund;

/// The routes under `/v1/payments`.
pub(super) fn routes() -> Router<Hub> {
    Router::new()
        .route("/v1/payments", get(look_up::look_up))
        .route("/v1/payments/charge", post(charge::charge))
        .route("/v1/payments/{id}/refund", post(refund::refund))
}

/// The status of a charge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ChargeStatus {
    /// Charged.
    Success,
    /// Declined; nothing was charged.
    Failed,
    /// Fully refunded.
    Refunded,
}

/// A charge, successful or declined.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Charge {
    /// Id of the payment.
    pub payment_id: u64,
    /// The order that it pays.
    pub order_id: i64,
    /// The customer who pays.
    pub customer_id: i64,
    /// The charged amount.
    #[serde(with = "amount")]
    pub amount: Decimal,
    /// Currency code.
    pub currency: String,
    /// Payment method, if the request named it.
    pub method: Option<String>,
    /// The current status.
    pub status: ChargeStatus,
    /// Reference of the bank, such as `PAY-9F8E7D6C5B4A`.
    pub reference: String,
    /// The idempotency key.
    pub idempotency_key: String,
    /// The refunded amount.
    #[serde(with = "amount")]
    pub refunded: Decimal,
    /// Time of the charge.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
}

impl Row for Charge {
    const FIRST_ID: u64 = 5001;

    fn key(&self) -> &str {
        &self.idempotency_key
    }

    fn order_id(&self) -> Option<i64> {
        Some(self.order_id)
    }
}

/// A refund.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refund {
    /// Id of the refund.
    pub refund_id: u64,
    /// The refunded charge.
    pub payment_id: u64,
    /// The order of that charge.
    pub order_id: i64,
    /// The refunded amount.
    #[serde(with = "amount")]
    pub amount: Decimal,
    /// Reason, if the request gave one.
    pub reason: Option<String>,
    /// The idempotency key.
    pub idempotency_key: String,
    /// Time of the refund.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
}

impl Row for Refund {
    const FIRST_ID: u64 = 8001;

    fn key(&self) -> &str {
        &self.idempotency_key
    }

    fn order_id(&self) -> Option<i64> {
        Some(self.order_id)
    }
}

/// All charges and refunds.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Payments {
    charges: Table<Charge>,
    refunds: Table<Refund>,
}

impl Payments {
    /// The charges of one order, or all of them; oldest first.
    pub fn charges(&self, order: Option<i64>) -> Vec<&Charge> {
        self.charges.for_order(order)
    }

    /// The refunds of one order, or all of them; oldest first.
    pub fn refunds(&self, order: Option<i64>) -> Vec<&Refund> {
        self.refunds.for_order(order)
    }
}
