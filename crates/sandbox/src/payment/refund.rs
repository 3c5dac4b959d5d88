//! Give money back, once per key, and never more than was taken.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use rust_decimal::Decimal;
use serde::Deserialize;
use serde_json::json;

use super::{ChargeStatus, Payments, Refund};
use crate::desk::Desk;
use crate::incoming::{Id, Incoming};
use crate::operation::Operation;
use crate::reply::{Answer, Refusal, Reply};
use crate::wire::amount;
use crate::world::Occasion;

/// `POST /v1/payments/{payment_id}/refund`
pub(super) async fn refund(State(desk): State<Desk>, Id(id): Id, incoming: Incoming) -> Response {
    desk.serve(
        Operation::Refund,
        incoming,
        move |world, incoming, occasion| {
            let mut asked: Asked = incoming.read()?;
            let key = incoming.key(asked.idempotency_key.take())?;
            let id = id.ok_or_else(|| Refusal::missing("there is no such payment"))?;
            world.payments.refund(id, asked, key, occasion)
        },
    )
    .await
}

#[derive(Deserialize)]
struct Asked {
    #[serde(with = "amount")]
    amount: Decimal,
    reason: Option<String>,
    idempotency_key: Option<String>,
}

impl Payments {
    fn refund(&mut self, payment_id: u64, asked: Asked, key: String, occasion: &Occasion) -> Reply {
        if asked.amount <= Decimal::ZERO {
            return Err(Refusal::invalid("the amount has to be more than nothing"));
        }
        if let Some(known) = self.refunds.by_key(&key) {
            if (known.payment_id, known.amount) != (payment_id, asked.amount) {
                return Err(Refusal::conflict(
                    "this idempotency key was used for another refund",
                ));
            }
            return Ok(answer(known, StatusCode::OK));
        }
        let charge = self
            .charges
            .by_id_mut(payment_id)
            .ok_or_else(|| Refusal::missing("there is no such payment"))?;
        match charge.status {
            ChargeStatus::Failed => {
                return Err(Refusal::conflict("the payment failed: nothing was taken"));
            }
            ChargeStatus::Refunded => return Err(Refusal::conflict("already refunded")),
            ChargeStatus::Success => {}
        }
        let left = charge.amount - charge.refunded;
        if asked.amount > left {
            return Err(Refusal::conflict(format!(
                "only {left:.2} is left to refund"
            )));
        }
        charge.refunded += asked.amount;
        if charge.refunded == charge.amount {
            charge.status = ChargeStatus::Refunded;
        }
        let order_id = charge.order_id;
        let refund = self.refunds.add(|refund_id| Refund {
            refund_id,
            payment_id,
            order_id,
            amount: asked.amount,
            reason: asked.reason,
            idempotency_key: key,
            created_at: occasion.now,
        });
        Ok(answer(refund, StatusCode::CREATED))
    }
}

fn answer(refund: &Refund, status: StatusCode) -> Answer {
    let body = json!({
        "refund_id": refund.refund_id,
        "payment_id": refund.payment_id,
        "order_id": refund.order_id,
        "amount": format!("{:.2}", refund.amount),
        "status": "REFUNDED",
    });
    Answer::new(status, body)
}
