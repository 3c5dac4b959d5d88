//! Giving money back.

use serde::Serialize;
use serde_json::Number;

use super::charge::exact;
use super::{Payment, PaymentRecordStatus, WRAPPERS, outcome};
use crate::domain::ids::OrderId;
use crate::domain::money::Money;
use crate::peers::answer::{CallFailure, CallOutcome, PeerRejection};
use crate::peers::call::{CallContext, operation};
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
        tag: CallContext<'_>,
        payment_id: &str,
        amount: Money,
        reason: &str,
        order_id: OrderId,
    ) -> CallOutcome<()> {
        let work = async {
            let request = Request {
                amount: exact(amount)?,
                reason,
                idempotency_key: tag.idempotency_key,
            };
            let path = ["v1", "payments", payment_id, "refund"];
            let reply = self.peer.post(&tag, &path, &request).await?;
            match reply.status {
                200 | 201 => match read(&reply, amount, order_id) {
                    // The words do not tell: the payment itself does.
                    Err(unclear) => match self.confirm_refund(tag, payment_id, order_id).await {
                        CallOutcome::Rejected(_) => Err(unclear),
                        found => Ok(found),
                    },
                    read => read,
                },
                404 => Ok(CallOutcome::Rejected(reply.refusal())),
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
        tag: CallContext<'_>,
        payment_id: &str,
        order_id: OrderId,
    ) -> CallOutcome<()> {
        let records = match self.find(tag, order_id).await {
            CallOutcome::Success(records) => records,
            CallOutcome::Rejected(refusal) => {
                return CallOutcome::Retryable(CallFailure::new(refusal.reason));
            }
            CallOutcome::Retryable(trouble) => return CallOutcome::Retryable(trouble),
            CallOutcome::Mismatched(wrong) => return CallOutcome::Mismatched(wrong),
        };
        let found = records
            .iter()
            .find(|record| record.payment_id.eq_ignore_ascii_case(payment_id));
        match found.map(|record| record.status) {
            Some(PaymentRecordStatus::Refunded) => CallOutcome::Success(()),
            Some(_) => CallOutcome::Rejected(PeerRejection::new(
                "says that it is refunded already, but shows that it is not",
            )),
            // Not found is no proof.
            None => CallOutcome::Retryable(CallFailure::new(
                "says that it is refunded already, but does not show it",
            )),
        }
    }
}

fn read(reply: &Reply, amount: Money, order_id: OrderId) -> Result<CallOutcome<()>, CallFailure> {
    let body = reply.json()?;
    let layers = json::layers(&body, &["refund", WRAPPERS[0], WRAPPERS[1]]);
    let sent = Sent {
        amount: Some(amount),
        ..Sent::order(order_id)
    };
    if let Some(wrong) = sent.differs_from(&layers) {
        return Ok(CallOutcome::Mismatched(wrong));
    }
    let (state, word) = outcome::of_reply(&layers);
    match (state, word.as_str()) {
        // "Completed" or "paid" may be what the payment was before.
        (PaymentRecordStatus::Taken, "status COMPLETED" | "status PAID")
        | (PaymentRecordStatus::Other, _) => {
            let status = reply.status;
            Err(CallFailure::new(format!("answered {status} with {word}")))
        }
        (PaymentRecordStatus::Refunded | PaymentRecordStatus::Taken, _) => {
            Ok(CallOutcome::Success(()))
        }
        (PaymentRecordStatus::Failed, _) => {
            let reason = reply.words().unwrap_or(word);
            Ok(CallOutcome::Rejected(PeerRejection::new(reason)))
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
