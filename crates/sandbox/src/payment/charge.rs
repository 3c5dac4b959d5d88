//! Charges money once per idempotency key.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use rust_decimal::Decimal;
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use super::{Charge, ChargeStatus, Payments};
use crate::hub::Hub;
use crate::incoming::Incoming;
use crate::operation::Operation;
use crate::reply::{Answer, Refusal, Reply};
use crate::specials;
use crate::state::CallContext;
use crate::wire::{Integer, amount};

/// `POST /v1/payments/charge`
pub(super) async fn charge(State(hub): State<Hub>, incoming: Incoming) -> Response {
    hub.serve(Operation::Charge, incoming, |state, incoming, context| {
        let mut request: ChargeRequest = incoming.read()?;
        let key = incoming.key(request.idempotency_key.take())?;
        state.payments.charge(request, key, context)
    })
    .await
}

#[derive(Deserialize)]
struct ChargeRequest {
    order_id: Integer,
    customer_id: Integer,
    #[serde(with = "amount")]
    amount: Decimal,
    currency: String,
    method: Option<String>,
    idempotency_key: Option<String>,
}

impl ChargeRequest {
    fn is_for(&self, known: &Charge) -> bool {
        (self.order_id.0, self.customer_id.0) == (known.order_id, known.customer_id)
            && self.amount == known.amount
            && self.currency == known.currency
            && self.method == known.method
    }
}

impl Payments {
    fn charge(&mut self, request: ChargeRequest, key: String, context: &CallContext) -> Reply {
        if request.amount <= Decimal::ZERO {
            return Err(Refusal::invalid("the amount has to be more than nothing"));
        }
        if request.currency.len() != 3 || !request.currency.bytes().all(|b| b.is_ascii_uppercase())
        {
            return Err(Refusal::invalid(
                "the currency has to be three capital letters",
            ));
        }
        if let Some(known) = self.charges.by_key(&key)
            && !context.again
        {
            if !request.is_for(known) {
                return Err(Refusal::conflict(
                    "this idempotency key was used for another charge",
                ));
            }
            return answer(known, StatusCode::OK);
        }
        let declined = [specials::DECLINED, specials::FAILED_POLITELY].contains(&request.amount);
        let reference = Uuid::new_v4().simple().to_string().to_uppercase();
        let charge = self.charges.add(|payment_id| Charge {
            payment_id,
            order_id: request.order_id.0,
            customer_id: request.customer_id.0,
            amount: request.amount,
            currency: request.currency,
            method: request.method,
            status: if declined {
                ChargeStatus::Failed
            } else {
                ChargeStatus::Success
            },
            reference: format!("PAY-{}", &reference[..12]),
            idempotency_key: key,
            refunded: Decimal::ZERO,
            created_at: context.now,
        });
        let answer = answer(charge, StatusCode::CREATED)?;
        if charge.amount == specials::SLOW {
            return Ok(answer.delayed(specials::SLOW_ANSWER));
        }
        if charge.amount == specials::CHARGED_BUT_500 {
            return Err(Refusal::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "something broke after the money was taken",
            ));
        }
        Ok(answer)
    }
}

/// The original result of the charge; a later refund does not change it.
fn answer(charge: &Charge, status: StatusCode) -> Reply {
    if charge.amount == specials::DECLINED {
        return Err(Refusal::new(
            StatusCode::PAYMENT_REQUIRED,
            "the card was declined",
        ));
    }
    let outcome = match charge.status {
        ChargeStatus::Failed => ChargeStatus::Failed,
        ChargeStatus::Success | ChargeStatus::Refunded => ChargeStatus::Success,
    };
    let body = json!({
        "payment_id": charge.payment_id,
        "order_id": charge.order_id,
        "customer_id": charge.customer_id,
        "amount": format!("{:.2}", charge.amount),
        "currency": charge.currency,
        "method": charge.method,
        "status": outcome,
        "reference": charge.reference,
    });
    Ok(Answer::new(status, body))
}
