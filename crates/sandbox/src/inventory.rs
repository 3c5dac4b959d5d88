//! The Inventory stand-in: it holds goods for orders, gives them back, and ships them.

use axum::Router;
use axum::routing::{get, post};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::hub::Hub;
use super::table::{Table, Row};
use stock::Stock;

mod commit;
mod list;
mod release;
mod reserve;
mod stock;

pub use stock::{Allocation, Line, StockRow};

/// `/v1/inventory/…`.
pub(super) fn routes() -> Router<Hub> {
    Router::new()
        .route("/v1/inventory/reserve", post(reserve::reserve))
        .route("/v1/inventory/release", post(release::release))
        .route("/v1/inventory/ship", post(commit::commit))
        .route("/v1/inventory/reservations", get(list::list))
}

/// What becomes of a reservation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ReservationState {
    /// The goods are set aside.
    Held,
    /// Given back, or refused for ever because a release came first.
    Released,
    /// The goods have left.
    Committed,
    /// Given back because it was not committed in time.
    Expired,
}

/// Goods held for an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reservation {
    /// The number that the order's owner gave it.
    pub reservation_id: String,
    /// The order, where it was named.
    pub order_id: Option<i64>,
    /// What became of it.
    pub state: ReservationState,
    /// What was asked for; empty when it was released before it was ever made.
    pub items: Vec<Line>,
    /// What was held, and where.
    pub allocations: Vec<Allocation>,
    /// Whether less was held than asked for.
    pub partial: bool,
    /// When it was made.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// When it ends by itself unless committed.
    #[serde(with = "time::serde::rfc3339")]
    pub expires_at: OffsetDateTime,
}

impl Row for Reservation {
    const FIRST_ID: u64 = 1;

    fn key(&self) -> &str {
        &self.reservation_id
    }

    fn order_id(&self) -> Option<i64> {
        self.order_id
    }
}

/// The stock, and what is held of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Inventory {
    stock: Stock,
    reservations: Table<Reservation>,
    /// How many reservations, from the oldest on, can no longer expire. They all last
    /// equally long, so nothing behind the first one held can have expired before it.
    #[serde(skip)]
    settled: usize,
}

impl Inventory {
    /// A full catalogue and nothing held.
    pub fn new() -> Self {
        Self {
            stock: Stock::catalogue(),
            reservations: Table::default(),
            settled: 0,
        }
    }

    /// End what was held too long.
    pub fn expire(&mut self, now: OffsetDateTime) {
        while let Some(row) = self.reservations.rows_mut().get_mut(self.settled) {
            if row.state == ReservationState::Held {
                if row.expires_at > now {
                    break;
                }
                row.state = ReservationState::Expired;
                self.stock.release(&row.allocations);
            }
            self.settled += 1;
        }
    }

    /// What lies where.
    pub fn stock(&self) -> Vec<StockRow> {
        self.stock.rows()
    }

    /// The reservations of an order, or all; oldest first.
    pub fn reservations(&self, order: Option<i64>) -> Vec<&Reservation> {
        self.reservations.for_order(order)
    }
}
