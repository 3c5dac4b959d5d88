//! The Payment stand-in: it takes money once per key, and gives back no more than it took.

use axum::Router;
use axum::routing::{get, post};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::hub::Hub;
use super::table::{Table, Row};
use super::wire::amount;

mod charge;
mod look_up;
mod refund;

/// `/v1/payments…`.
pub(super) fn routes() -> Router<Hub> {
    Router::new()
        .route("/v1/payments", get(look_up::look_up))
        .route("/v1/payments/charge", post(charge::charge))
        .route("/v1/payments/{id}/refund", post(refund::refund))
}

/// What became of a charge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ChargeStatus {
    /// The money was taken.
    Success,
    /// It was declined; no money was taken.
    Failed,
    /// All of it was given back.
    Refunded,
}

/// Money taken, or declined.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Charge {
    /// Its number.
    pub payment_id: u64,
    /// The order it pays for.
    pub order_id: i64,
    /// Who pays.
    pub customer_id: i64,
    /// How much.
    #[serde(with = "amount")]
    pub amount: Decimal,
    /// In which currency.
    pub currency: String,
    /// By which means, where it was named.
    pub method: Option<String>,
    /// What became of it.
    pub status: ChargeStatus,
    /// The bank's name for it, such as `PAY-9F8E7D6C5B4A`.
    pub reference: String,
    /// The key it was asked for with.
    pub idempotency_key: String,
    /// How much of it was given back.
    #[serde(with = "amount")]
    pub refunded: Decimal,
    /// When it was done.
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

/// Money given back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refund {
    /// Its number.
    pub refund_id: u64,
    /// The charge it is given back from.
    pub payment_id: u64,
    /// The order of that charge.
    pub order_id: i64,
    /// How much.
    #[serde(with = "amount")]
    pub amount: Decimal,
    /// Why, where it was told.
    pub reason: Option<String>,
    /// The key it was asked for with.
    pub idempotency_key: String,
    /// When it was done.
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

/// All money that moved.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Payments {
    charges: Table<Charge>,
    refunds: Table<Refund>,
}

impl Payments {
    /// The charges of an order, or all; oldest first.
    pub fn charges(&self, order: Option<i64>) -> Vec<&Charge> {
        self.charges.for_order(order)
    }

    /// The refunds of an order, or all; oldest first.
    pub fn refunds(&self, order: Option<i64>) -> Vec<&Refund> {
        self.refunds.for_order(order)
    }
}
