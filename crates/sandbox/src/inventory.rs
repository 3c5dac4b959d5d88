//! The Inventory stand-in. It reserves stock, releases it and commits it when an order ships.

use axum::Router;
use axum::routing::{get, post};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::hub::Hub;
use super::table::{Row, Table};
use stock::Stock;

mod commit;
mod list;
mod release;
mod reserve;
mod stock;

pub use stock::{Allocation, Line, StockRow};

/// The routes under `/v1/inventory/`.
pub(super) fn routes() -> Router<Hub> {
    Router::new()
        .route("/v1/inventory/reserve", post(reserve::reserve))
        .route("/v1/inventory/release", post(release::release))
        .route("/v1/inventory/ship", post(commit::commit))
        .route("/v1/inventory/reservations", get(list::list))
}

/// The state of a reservation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ReservationState {
    /// The stock is reserved.
    Held,
    /// The stock was released, or a release with this id arrived before the reserve request.
    Released,
    /// The stock was shipped.
    Committed,
    /// The reservation was not committed before it expired.
    Expired,
}

/// Stock reserved for an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reservation {
    /// The id that the client chose; it is also the idempotency key.
    pub reservation_id: String,
    /// The order, if the request named it.
    pub order_id: Option<i64>,
    /// The current state.
    pub state: ReservationState,
    /// The requested lines; empty if the release arrived first.
    pub items: Vec<Line>,
    /// The reserved quantities by warehouse.
    pub allocations: Vec<Allocation>,
    /// Whether only a part of the request was reserved.
    pub partial: bool,
    /// Time of the request.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// Time at which it expires unless committed.
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

/// The stock and all reservations.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Inventory {
    stock: Stock,
    reservations: Table<Reservation>,
    /// Number of leading reservations that can no longer expire. All reservations have the same lifetime,
    /// so none expires before an older one.
    #[serde(skip)]
    settled: usize,
}

impl Inventory {
    /// The full catalogue without reservations.
    pub fn new() -> Self {
        Self {
            stock: Stock::catalogue(),
            reservations: Table::default(),
            settled: 0,
        }
    }

    /// Releases every reservation that has expired.
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

    /// The stock by SKU and warehouse.
    pub fn stock(&self) -> Vec<StockRow> {
        self.stock.rows()
    }

    /// The reservations of one order, or all of them; oldest first.
    pub fn reservations(&self, order: Option<i64>) -> Vec<&Reservation> {
        self.reservations.for_order(order)
    }
}
