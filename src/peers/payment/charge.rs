//! Taking money.

use serde::Serialize;
use serde_json::{Number, Value};

use super::{Charge, Charged, Payment, PaymentState, WRAPPERS, outcome};
use crate::domain::money::Money;
use crate::peers::answer::{Answer, Refusal, Trouble};
use crate::peers::call::{Tag, operation};
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
pub(super) fn exact(amount: Money) -> Result<Number, Trouble> {
    amount
        .to_string()
        .parse()
        .map_err(|_| Trouble::new("the amount cannot be written as a number"))
}

impl Payment {
    /// Takes the money, once for one key.
    pub async fn charge(&self, tag: Tag<'_>, charge: &Charge<'_>) -> Answer<Charged> {
        let work = async {
            let request = Request {
                order_id: charge.order_id.0,
                customer_id: charge.customer_id.0,
                amount: exact(charge.amount)?,
                currency: charge.currency.code(),
                method: charge.method,
                idempotency_key: tag.key,
            };
            let path = ["v1", "payments", "charge"];
            let reply = self.peer.post(&tag, &path, &request).await?;
            match reply.status {
                200 | 201 => read(&reply, charge),
                402 => Ok(Answer::No(reply.refusal())),
                // Without words it may be a proxy's.
                400 | 422 if reply.words().is_some() => Ok(Answer::No(reply.refusal())),
                _ => Err(reply.trouble()),
            }
        };
        self.peer
            .call(operation!("payment", "charge"), &tag, work)
            .await
    }
}

fn read(reply: &Reply, charge: &Charge<'_>) -> Result<Answer<Charged>, Trouble> {
    let body = reply.json()?;
    let layers = json::layers(&body, &WRAPPERS);
    let sent = Sent {
        order_id: charge.order_id,
        amount: Some(charge.amount),
        currency: Some(charge.currency),
    };
    if let Some(wrong) = sent.differs_from(&layers) {
        return Ok(Answer::Wrong(wrong));
    }
    let (state, word) = outcome::of_reply(&layers);
    match state {
        PaymentState::Taken => Ok(Answer::Yes(Charged {
            payment_id: payment_id(&layers),
            reference: layers
                .iter()
                .find_map(|layer| json::line(layer, "reference")),
        })),
        PaymentState::Failed => {
            let reason = reply.words().unwrap_or(word);
            Ok(Answer::No(Refusal::new(reason)))
        }
        PaymentState::Refunded | PaymentState::Other => {
            let status = reply.status;
            Err(Trouble::new(format!("answered {status} with {word}")))
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
