//! Releases a reservation, committed or not.

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use serde_json::json;

use super::{Inventory, Reservation, ReservationState};
use crate::hub::Hub;
use crate::incoming::Incoming;
use crate::operation::Operation;
use crate::reply::{Answer, Refusal, Reply};
use crate::state::CallContext;
use crate::wire::Integer;

/// `POST /v1/inventory/release`
pub(super) async fn release(State(hub): State<Hub>, incoming: Incoming) -> Response {
    hub.serve(Operation::Release, incoming, |state, incoming, context| {
        state.inventory.release(incoming.read()?, context)
    })
    .await
}

#[derive(Deserialize)]
struct ReleaseRequest {
    reservation_id: String,
    order_id: Option<Integer>,
}

impl Inventory {
    fn release(&mut self, request: ReleaseRequest, context: &CallContext) -> Reply {
        let ReleaseRequest {
            reservation_id,
            order_id,
        } = request;
        if reservation_id.is_empty() {
            return Err(Refusal::invalid("reservation_id is empty"));
        }
        let order_id = order_id.map(|Integer(id)| id);
        let message = match self.reservations.by_key_mut(&reservation_id) {
            None => {
                self.fence(&reservation_id, order_id, context);
                "Nothing was reserved"
            }
            Some(known)
                if order_id.is_some() && known.order_id.is_some() && known.order_id != order_id =>
            {
                return Err(Refusal::bad("the reservation belongs to another order"));
            }
            Some(known) => match known.state {
                ReservationState::Held => {
                    known.state = ReservationState::Released;
                    self.stock.release(&known.allocations);
                    "Released"
                }
                ReservationState::Committed => {
                    known.state = ReservationState::Released;
                    self.stock.take_back(&known.allocations);
                    "ReleaseRequest to stock"
                }
                ReservationState::Released => "Already released",
                ReservationState::Expired => "Already expired",
            },
        };
        Ok(Answer::ok(json!({
            "success": true,
            "message": message,
            "reservation_id": reservation_id,
        })))
    }

    /// Fences a late reserve: a reserve that arrives after its release must not reserve anything.
    fn fence(&mut self, reservation_id: &str, order_id: Option<i64>, context: &CallContext) {
        self.reservations.add(|_| Reservation {
            reservation_id: reservation_id.to_owned(),
            order_id,
            state: ReservationState::Released,
            items: Vec::new(),
            allocations: Vec::new(),
            partial: false,
            created_at: context.now,
            expires_at: context.now,
        });
    }
}
