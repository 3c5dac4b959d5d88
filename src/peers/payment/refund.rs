//! Giving money back.

use serde::Serialize;
use serde_json::Number;

use super::charge::exact;
use super::{Payment, PaymentState, WRAPPERS, outcome};
use crate::domain::ids::OrderId;
use crate::domain::money::Money;
use crate::peers::answer::{Answer, Refusal, Trouble};
use crate::peers::call::{Tag, operation};
use crate::peers::echo::Sent;
use crate::peers::json;
use crate::peers::reply::Reply;

#[derive(Serialize)]
struct Request<'a> {
    amount: Number,
    reason: &'a str,
    idempotency_key: &'a str,
}

impl Payment {
    /// Gives `amount` of a payment back, once for one key.
    ///
    /// Where the peer says that this happened before, the payments of the order are looked up, and
    /// what they show is the answer.
    pub async fn refund(
        &self,
        tag: Tag<'_>,
        payment_id: &str,
        amount: Money,
        reason: &str,
        order_id: OrderId,
    ) -> Answer<()> {
        let work = async {
            let request = Request {
                amount: exact(amount)?,
                reason,
                idempotency_key: tag.key,
            };
            let path = ["v1", "payments", payment_id, "refund"];
            let reply = self.peer.post(&tag, &path, &request).await?;
            match reply.status {
                200 | 201 => match read(&reply, amount, order_id) {
                    // The words do not tell: the payment itself does.
                    Err(unclear) => match self.confirm_refund(tag, payment_id, order_id).await {
                        Answer::No(_) => Err(unclear),
                        found => Ok(found),
                    },
                    read => read,
                },
                404 => Ok(Answer::No(reply.refusal())),
                400 | 409 if says_refunded(&reply) => {
                    Ok(self.confirm_refund(tag, payment_id, order_id).await)
                }
                _ => Err(reply.trouble()),
            }
        };
        self.peer
            .call(operation!("payment", "refund"), &tag, work)
            .await
    }

    async fn confirm_refund(
        &self,
        tag: Tag<'_>,
        payment_id: &str,
        order_id: OrderId,
    ) -> Answer<()> {
        let records = match self.find(tag, order_id).await {
            Answer::Yes(records) => records,
            Answer::No(refusal) => return Answer::Unclear(Trouble::new(refusal.reason)),
            Answer::Unclear(trouble) => return Answer::Unclear(trouble),
            Answer::Wrong(wrong) => return Answer::Wrong(wrong),
        };
        let found = records
            .iter()
            .find(|record| record.payment_id.eq_ignore_ascii_case(payment_id));
        match found.map(|record| record.status) {
            Some(PaymentState::Refunded) => Answer::Yes(()),
            Some(_) => Answer::No(Refusal::new(
                "says that it is refunded already, but shows that it is not",
            )),
            // Not found is no proof.
            None => Answer::Unclear(Trouble::new(
                "says that it is refunded already, but does not show it",
            )),
        }
    }
}

fn read(reply: &Reply, amount: Money, order_id: OrderId) -> Result<Answer<()>, Trouble> {
    let body = reply.json()?;
    let layers = json::layers(&body, &["refund", WRAPPERS[0], WRAPPERS[1]]);
    let sent = Sent {
        amount: Some(amount),
        ..Sent::order(order_id)
    };
    if let Some(wrong) = sent.differs_from(&layers) {
        return Ok(Answer::Wrong(wrong));
    }
    let (state, word) = outcome::of_reply(&layers);
    match (state, word.as_str()) {
        // "Completed" or "paid" may be what the payment was before.
        (PaymentState::Taken, "status COMPLETED" | "status PAID") | (PaymentState::Other, _) => {
            let status = reply.status;
            Err(Trouble::new(format!("answered {status} with {word}")))
        }
        (PaymentState::Refunded | PaymentState::Taken, _) => Ok(Answer::Yes(())),
        (PaymentState::Failed, _) => {
            let reason = reply.words().unwrap_or(word);
            Ok(Answer::No(Refusal::new(reason)))
        }
    }
}

/// Whether a peer that will not refund says that it is because it has: in any words, since a
/// look-up decides.
fn says_refunded(reply: &Reply) -> bool {
    reply.words().is_some_and(|words| {
        let words = words.to_lowercase();
        words.contains("already") || words.contains("refunded")
    })
}
