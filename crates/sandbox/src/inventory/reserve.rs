//! Hold goods for an order: all lines or none.

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use serde_json::json;
use time::format_description::well_known::Rfc3339;

use super::{Inventory, Line, Reservation, ReservationState};
use crate::desk::Desk;
use crate::incoming::Incoming;
use crate::operation::Operation;
use crate::reply::{Answer, Refusal, Reply};
use crate::specials;
use crate::wire::Whole;
use crate::world::Occasion;

/// How long goods are held unless committed.
const HELD_FOR: time::Duration = time::Duration::minutes(15);

/// `POST /v1/inventory/reserve`
pub(super) async fn reserve(State(desk): State<Desk>, incoming: Incoming) -> Response {
    desk.serve(Operation::Reserve, incoming, |world, incoming, occasion| {
        world.inventory.reserve(incoming.read()?, occasion)
    })
    .await
}

#[derive(Deserialize)]
struct Wanted {
    reservation_id: String,
    order_id: Whole,
    items: Vec<WantedLine>,
}

#[derive(Deserialize)]
struct WantedLine {
    product_id: Option<Whole>,
    sku: String,
    quantity: u32,
}

impl Inventory {
    fn reserve(&mut self, wanted: Wanted, occasion: &Occasion) -> Reply {
        let Wanted {
            reservation_id,
            order_id: Whole(order_id),
            items,
        } = wanted;
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
            occasion.partial || items.iter().any(|line| line.sku == specials::PARTIAL_STOCK);
        let held = if partial { &items[..1] } else { &items[..] };
        let allocations = self.stock.hold(held).map_err(|short| {
            let super::stock::Short { sku, wanted, free } = short;
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
            created_at: occasion.now,
            expires_at: occasion.now.saturating_add(HELD_FOR),
        });
        Ok(answer(reservation))
    }
}

fn lines(items: Vec<WantedLine>) -> Result<Vec<Line>, Refusal> {
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
    let line = |line: WantedLine| Line {
        product_id: line.product_id.map(|Whole(id)| id),
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

/// The answer to an id that was seen before.
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
