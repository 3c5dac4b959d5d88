//! Taking money.

use serde::Serialize;
use serde_json::{Number, Value};

use super::{ChargeReceipt, ChargeRequest, Payment, PaymentRecordStatus, WRAPPERS, outcome};
use crate::domain::money::Money;
use crate::peers::answer::{CallFailure, CallOutcome, PeerRejection};
use crate::peers::call::{CallContext, operation};
use crate::peers::echo::Sent;
use crate::peers::json;
use crate::peers::reply::Reply;

#[derive(Serialize)]
struct Request<'a> {
    order_id: i64,
    customer_id: i64,
    amount: Number,
    currency: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    method: Option<&'a str>,
    idempotency_key: &'a str,
}

/// An amount as a JSON number with all its decimals, which more peers take than a string.
pub(super) fn exact(amount: Money) -> Result<Number, CallFailure> {
    amount
        .to_string()
        .parse()
        .map_err(|_| CallFailure::new("the amount cannot be written as a number"))
}

impl Payment {
    /// Takes the money, once for one key.
    pub async fn charge(
        &self,
        tag: CallContext<'_>,
        charge: &ChargeRequest<'_>,
    ) -> CallOutcome<ChargeReceipt> {
        let work = async {
            let request = Request {
                order_id: charge.order_id.0,
                customer_id: charge.customer_id.0,
                amount: exact(charge.amount)?,
                currency: charge.currency.code(),
                method: charge.method,
                idempotency_key: tag.idempotency_key,
            };
            let path = ["v1", "payments", "charge"];
            let reply = self.peer.post(&tag, &path, &request).await?;
            match reply.status {
                200 | 201 => read(&reply, charge),
                402 => Ok(CallOutcome::Rejected(reply.refusal())),
                // Without words it may be a proxy's.
                400 | 422 if reply.words().is_some() => Ok(CallOutcome::Rejected(reply.refusal())),
                _ => Err(reply.trouble()),
            }
        };
        self.peer
            .call(operation!("payment", "charge"), &tag, work)
            .await
    }
}

fn read(
    reply: &Reply,
    charge: &ChargeRequest<'_>,
) -> Result<CallOutcome<ChargeReceipt>, CallFailure> {
    let body = reply.json()?;
    let layers = json::layers(&body, &WRAPPERS);
    let sent = Sent {
        order_id: charge.order_id,
        amount: Some(charge.amount),
        currency: Some(charge.currency),
    };
    if let Some(wrong) = sent.differs_from(&layers) {
        return Ok(CallOutcome::Mismatched(wrong));
    }
    let (state, word) = outcome::of_reply(&layers);
    match state {
        PaymentRecordStatus::Taken => Ok(CallOutcome::Success(ChargeReceipt {
            payment_id: payment_id(&layers),
            reference: layers
                .iter()
                .find_map(|layer| json::line(layer, "reference")),
        })),
        PaymentRecordStatus::Failed => {
            let reason = reply.words().unwrap_or(word);
            Ok(CallOutcome::Rejected(PeerRejection::new(reason)))
        }
        PaymentRecordStatus::Refunded | PaymentRecordStatus::Other => {
            let status = reply.status;
            Err(CallFailure::new(format!("answered {status} with {word}")))
        }
    }
}

/// `id` of the payment itself before that of what is around it, which may be a message's.
fn payment_id(layers: &[&Value]) -> Option<String> {
    let named = layers
        .iter()
        .find_map(|layer| json::id(layer, "payment_id"));
    named.or_else(|| layers.iter().rev().find_map(|layer| json::id(layer, "id")))
}
