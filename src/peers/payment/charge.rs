//! Charges a customer.

use serde::Serialize;
use serde_json::{Number, Value};

use super::{ChargeReceipt, ChargeRequest, Payment, PaymentRecordStatus, WRAPPERS, status};
use crate::domain::money::Money;
use crate::peers::call::{CallContext, operation};
use crate::peers::json;
use crate::peers::outcome::{CallFailure, CallOutcome, PeerRejection};
use crate::peers::response::PeerResponse;
use crate::peers::verification::SentFields;

#[derive(Serialize)]
struct ChargeBody<'a> {
    order_id: i64,
    customer_id: i64,
    amount: Number,
    currency: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    method: Option<&'a str>,
    idempotency_key: &'a str,
}

/// The amount as a JSON number with all its decimals, which more peers accept than a string.
pub(super) fn json_number(amount: Money) -> Result<Number, CallFailure> {
    amount
        .to_string()
        .parse()
        .map_err(|_| CallFailure::new("the amount cannot be written as a number"))
}

impl Payment {
    /// Charges the customer, once per idempotency key.
    pub async fn charge(
        &self,
        context: CallContext<'_>,
        charge: &ChargeRequest<'_>,
    ) -> CallOutcome<ChargeReceipt> {
        let work = async {
            let request = ChargeBody {
                order_id: charge.order_id.0,
                customer_id: charge.customer_id.0,
                amount: json_number(charge.amount)?,
                currency: charge.currency.code(),
                method: charge.method,
                idempotency_key: context.idempotency_key,
            };
            let path = ["v1", "payments", "charge"];
            let response = self.peer.post(&context, &path, &request).await?;
            match response.status {
                200 | 201 => read(&response, charge),
                402 => Ok(CallOutcome::Rejected(response.rejection())),
                // Without a message it may come from a proxy.
                400 | 422 if response.message().is_some() => {
                    Ok(CallOutcome::Rejected(response.rejection()))
                }
                _ => Err(response.failure()),
            }
        };
        self.peer
            .call(operation!(Forward, "payment", "charge"), &context, work)
            .await
    }
}

fn read(
    response: &PeerResponse,
    charge: &ChargeRequest<'_>,
) -> Result<CallOutcome<ChargeReceipt>, CallFailure> {
    let body = response.json()?;
    let layers = json::layers(&body, &WRAPPERS);
    let sent = SentFields {
        order_id: charge.order_id,
        amount: Some(charge.amount),
        currency: Some(charge.currency),
    };
    if let Some(mismatch) = sent.mismatch_in(&layers) {
        return Ok(CallOutcome::Mismatched(mismatch));
    }
    let (state, word) = status::of_response(&layers);
    match state {
        PaymentRecordStatus::Taken => Ok(CallOutcome::Success(ChargeReceipt {
            payment_id: payment_id(&layers),
            reference: layers
                .iter()
                .find_map(|layer| json::line(layer, "reference")),
        })),
        PaymentRecordStatus::Failed => {
            let reason = response.message().unwrap_or(word);
            Ok(CallOutcome::Rejected(PeerRejection::new(reason)))
        }
        PaymentRecordStatus::Refunded | PaymentRecordStatus::Other => {
            let status = response.status;
            Err(CallFailure::new(format!("answered {status} with {word}")))
        }
    }
}

/// Without a `payment_id`, the innermost `id` counts: that of an envelope may be a message's.
fn payment_id(layers: &[&Value]) -> Option<String> {
    let named = layers
        .iter()
        .find_map(|layer| json::id(layer, "payment_id"));
    named.or_else(|| layers.iter().rev().find_map(|layer| json::id(layer, "id")))
}
