//! Refunds money once per idempotency key, up to the charged amount.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use rust_decimal::Decimal;
use serde::Deserialize;
use serde_json::json;

use super::{ChargeStatus, Payments, Refund};
use crate::hub::Hub;
use crate::incoming::{Incoming, PathId};
use crate::operation::Operation;
use crate::reply::{Answer, Refusal, Reply};
use crate::state::CallContext;
use crate::wire::amount;

/// `POST /v1/payments/{payment_id}/refund`
pub(super) async fn refund(
    State(hub): State<Hub>,
    PathId(id): PathId,
    incoming: Incoming,
) -> Response {
    hub.serve(
        Operation::Refund,
        incoming,
        move |state, incoming, context| {
            let mut request: RefundRequest = incoming.read()?;
            let key = incoming.key(request.idempotency_key.take())?;
            let id = id.ok_or_else(|| Refusal::missing("there is no such payment"))?;
            state.payments.refund(id, request, key, context)
        },
    )
    .await
}

#[derive(Deserialize)]
struct RefundRequest {
    #[serde(with = "amount")]
    amount: Decimal,
    reason: Option<String>,
    idempotency_key: Option<String>,
}

impl Payments {
    fn refund(
        &mut self,
        payment_id: u64,
        request: RefundRequest,
        key: String,
        context: &CallContext,
    ) -> Reply {
        if request.amount <= Decimal::ZERO {
            return Err(Refusal::invalid("the amount has to be more than nothing"));
        }
        if let Some(known) = self.refunds.by_key(&key) {
            if (known.payment_id, known.amount) != (payment_id, request.amount) {
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
        if request.amount > left {
            return Err(Refusal::conflict(format!(
                "only {left:.2} is left to refund"
            )));
        }
        charge.refunded += request.amount;
        if charge.refunded == charge.amount {
            charge.status = ChargeStatus::Refunded;
        }
        let order_id = charge.order_id;
        let refund = self.refunds.add(|refund_id| Refund {
            refund_id,
            payment_id,
            order_id,
            amount: request.amount,
            reason: request.reason,
            idempotency_key: key,
            created_at: context.now,
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
