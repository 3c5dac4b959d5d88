//! Creates a parcel once per idempotency key.

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use serde_json::Value;

use super::{ParcelStatus, Parcels, Shipment};
use crate::hub::Hub;
use crate::incoming::Incoming;
use crate::operation::Operation;
use crate::payment::Payments;
use crate::reply::{Answer, Refusal, Reply};
use crate::specials;
use crate::state::CallContext;
use crate::wire::Integer;

/// Tracking numbers count from here.
const BEFORE_FIRST_TRACKING: u64 = 100_000;

/// `POST /v1/shipments`
pub(super) async fn create(State(hub): State<Hub>, incoming: Incoming) -> Response {
    hub.serve(Operation::Create, incoming, |state, incoming, context| {
        let mut request: ShipmentRequest = incoming.read()?;
        let key = incoming.key(request.idempotency_key.take())?;
        let reachable = is_reachable(&state.payments, request.order_id.0);
        state.parcels.create(request, key, reachable, context)
    })
    .await
}

#[derive(Deserialize)]
struct ShipmentRequest {
    order_id: Integer,
    carrier: String,
    address: Option<Value>,
    idempotency_key: Option<String>,
}

fn is_reachable(payments: &Payments, order_id: i64) -> bool {
    let charges = payments.charges(Some(order_id));
    !charges
        .iter()
        .any(|charge| charge.customer_id == specials::UNREACHABLE_CUSTOMER)
}

impl Parcels {
    fn create(
        &mut self,
        request: ShipmentRequest,
        key: String,
        reachable: bool,
        context: &CallContext,
    ) -> Reply {
        let ShipmentRequest {
            order_id: Integer(order_id),
            carrier,
            address,
            ..
        } = request;
        if carrier.trim().is_empty() {
            return Err(Refusal::invalid("carrier is empty"));
        }
        if let Some(known) = self.0.by_key(&key)
            && !context.again
        {
            if (known.order_id, &known.carrier, &known.address) != (order_id, &carrier, &address) {
                return Err(Refusal::conflict(
                    "this idempotency key was used for another shipment",
                ));
            }
            return Ok(Answer::ok(known));
        }
        if !reachable {
            return Err(Refusal::conflict(
                "nothing can be delivered to this customer",
            ));
        }
        let shipment = self.0.add(|shipment_id| Shipment {
            shipment_id,
            order_id,
            carrier,
            address,
            status: ParcelStatus::Pending,
            tracking_no: format!("TRK{}", BEFORE_FIRST_TRACKING.saturating_add(shipment_id)),
            idempotency_key: key,
            created_at: context.now,
            updated_at: context.now,
        });
        Ok(Answer::created(shipment))
    }
}
