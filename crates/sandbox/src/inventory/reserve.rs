//! Reserves stock for an order: all lines or none.

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use serde_json::json;
use time::format_description::well_known::Rfc3339;

use super::{Inventory, Line, Reservation, ReservationState};
use crate::hub::Hub;
use crate::incoming::Incoming;
use crate::operation::Operation;
use crate::reply::{Answer, Refusal, Reply};
use crate::specials;
use crate::state::CallContext;
use crate::wire::Integer;

/// Lifetime of a reservation that is not committed.
const RESERVATION_TTL: time::Duration = time::Duration::minutes(15);

/// `POST /v1/inventory/reserve`
pub(super) async fn reserve(State(hub): State<Hub>, incoming: Incoming) -> Response {
    hub.serve(Operation::Reserve, incoming, |state, incoming, context| {
        state.inventory.reserve(incoming.read()?, context)
    })
    .await
}

#[derive(Deserialize)]
struct ReserveRequest {
    reservation_id: String,
    order_id: Integer,
    items: Vec<RequestedLine>,
}

#[derive(Deserialize)]
struct RequestedLine {
    product_id: Option<Integer>,
    sku: String,
    quantity: u32,
}

impl Inventory {
    fn reserve(&mut self, request: ReserveRequest, context: &CallContext) -> Reply {
        let ReserveRequest {
            reservation_id,
            order_id: Integer(order_id),
            items,
        } = request;
        if reservation_id.is_empty() {
            return Err(Refusal::invalid("reservation_id is empty"));
        }
        let items = lines(items)?;
        if let Some(known) = self.reservations.by_key(&reservation_id) {
            return again(known, order_id, &items);
        }
        if items.iter().any(|line| line.sku == specials::OUT_OF_STOCK) {
            return Err(Refusal::conflict("insufficient stock for OUT-OF-STOCK"));
        }
        let partial =
            context.partial || items.iter().any(|line| line.sku == specials::PARTIAL_STOCK);
        let held = if partial { &items[..1] } else { &items[..] };
        let allocations = self.stock.reserve(held).map_err(|short| {
            let super::stock::InsufficientStock { sku, wanted, free } = short;
            Refusal::conflict(format!(
                "insufficient stock for {sku}: {wanted} wanted, {free} free"
            ))
        })?;
        let reservation = self.reservations.add(|_| Reservation {
            reservation_id,
            order_id: Some(order_id),
            state: ReservationState::Held,
            items,
            allocations,
            partial,
            created_at: context.now,
            expires_at: context.now.saturating_add(RESERVATION_TTL),
        });
        Ok(answer(reservation))
    }
}

fn lines(items: Vec<RequestedLine>) -> Result<Vec<Line>, Refusal> {
    if items.is_empty() {
        return Err(Refusal::invalid("items is empty"));
    }
    if items
        .iter()
        .any(|line| line.quantity == 0 || line.sku.is_empty())
    {
        return Err(Refusal::invalid(
            "every line needs a sku and a quantity of at least 1",
        ));
    }
    let line = |line: RequestedLine| Line {
        product_id: line.product_id.map(|Integer(id)| id),
        sku: line.sku,
        quantity: line.quantity,
    };
    Ok(items.into_iter().map(line).collect())
}

fn answer(reservation: &Reservation) -> Answer {
    let mut body = json!({
        "reservation_id": reservation.reservation_id,
        "allocations": reservation.allocations,
        "expires_at": reservation.expires_at.format(&Rfc3339).unwrap_or_default(),
    });
    if reservation.partial {
        body["status"] = json!("PARTIAL");
        return Answer::ok(body);
    }
    body["success"] = json!(true);
    Answer::created(body)
}

/// The response to a known reservation id.
fn again(known: &Reservation, order_id: i64, items: &[Line]) -> Reply {
    let id = &known.reservation_id;
    match known.state {
        ReservationState::Released => {
            Err(Refusal::conflict(format!("reservation {id} was released")))
        }
        ReservationState::Expired => {
            Err(Refusal::conflict(format!("reservation {id} has expired")))
        }
        _ if known.order_id != Some(order_id) || known.items != items => Err(Refusal::conflict(
            format!("reservation {id} was made for something else"),
        )),
        _ if known.partial => Ok(answer(known)),
        ReservationState::Held | ReservationState::Committed => Ok(Answer::ok(json!({
            "success": true,
            "message": "Already reserved (idempotent)",
            "reservation_id": id,
        }))),
    }
}
