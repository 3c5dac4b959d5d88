//! Commits a reservation: removes its units from the stock.

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use serde_json::json;

use super::{Inventory, ReservationState};
use crate::hub::Hub;
use crate::incoming::Incoming;
use crate::operation::Operation;
use crate::reply::{Answer, Refusal, Reply};
use crate::wire::Integer;

/// `POST /v1/inventory/ship`
pub(super) async fn commit(State(hub): State<Hub>, incoming: Incoming) -> Response {
    hub.serve(Operation::Commit, incoming, |state, incoming, _| {
        state.inventory.commit(&incoming.read()?)
    })
    .await
}

#[derive(Deserialize)]
struct CommitRequest {
    reservation_id: String,
    order_id: Integer,
}

impl Inventory {
    fn commit(&mut self, request: &CommitRequest) -> Reply {
        let Some(known) = self.reservations.by_key_mut(&request.reservation_id) else {
            return Err(Refusal::bad("there is no such reservation"));
        };
        if known.order_id.is_some_and(|own| own != request.order_id.0) {
            return Err(Refusal::bad("the reservation belongs to another order"));
        }
        match known.state {
            ReservationState::Held => {
                known.state = ReservationState::Committed;
                self.stock.ship(&known.allocations);
                let units: u64 = known.allocations.iter().map(|a| a.quantity).sum();
                Ok(Answer::ok(
                    json!({ "success": true, "shipped_items": units }),
                ))
            }
            ReservationState::Committed => Err(Refusal::missing(
                "nothing is left to ship: it was shipped already",
            )),
            ReservationState::Released => Err(Refusal::bad("the reservation was released")),
            ReservationState::Expired => Err(Refusal::bad("the reservation has expired")),
        }
    }
}
