//! Refunds a payment: the compensation of a charge.

use serde::Serialize;
use serde_json::Number;

use super::charge::json_number;
use super::{Payment, PaymentRecordStatus, WRAPPERS, status};
use crate::domain::ids::OrderId;
use crate::domain::money::Money;
use crate::peers::call::{CallContext, operation};
use crate::peers::json;
use crate::peers::outcome::{CallFailure, CallOutcome, PeerRejection};
use crate::peers::response::PeerResponse;
use crate::peers::verification::SentFields;

#[derive(Serialize)]
struct RefundBody<'a> {
    amount: Number,
    reason: &'a str,
    idempotency_key: &'a str,
}

impl Payment {
    /// Refunds `amount` of a payment, once per idempotency key.
    ///
    /// If the peer reports an earlier refund, or its response is unclear, the client looks up the
    /// payments of the order, and their statuses decide.
    pub async fn refund(
        &self,
        context: CallContext<'_>,
        payment_id: &str,
        amount: Money,
        reason: &str,
        order_id: OrderId,
    ) -> CallOutcome<()> {
        let work = async {
            let request = RefundBody {
                amount: json_number(amount)?,
                reason,
                idempotency_key: context.idempotency_key,
            };
            let path = ["v1", "payments", payment_id, "refund"];
            let response = self.peer.post(&context, &path, &request).await?;
            match response.status {
                200 | 201 => match read(&response, amount, order_id) {
                    // The response is unclear, so the payment's own status decides.
                    Err(unclear) => {
                        match self.confirm_refund(context, payment_id, order_id).await {
                            CallOutcome::Rejected(_) => Err(unclear),
                            found => Ok(found),
                        }
                    }
                    read => read,
                },
                404 => Ok(CallOutcome::Rejected(response.rejection())),
                400 | 409 if may_be_refunded(&response) => {
                    Ok(self.confirm_refund(context, payment_id, order_id).await)
                }
                _ => Err(response.failure()),
            }
        };
        self.peer
            .call(
                operation!(Compensation, "payment", "refund"),
                &context,
                work,
            )
            .await
    }

    /// Reads from the payment's status whether the refund happened.
    async fn confirm_refund(
        &self,
        context: CallContext<'_>,
        payment_id: &str,
        order_id: OrderId,
    ) -> CallOutcome<()> {
        let records = match self.find(context, order_id).await {
            CallOutcome::Success(records) => records,
            CallOutcome::Rejected(rejection) => {
                return CallOutcome::Retryable(CallFailure::new(rejection.reason));
            }
            CallOutcome::Retryable(failure) => return CallOutcome::Retryable(failure),
            CallOutcome::Mismatched(mismatch) => return CallOutcome::Mismatched(mismatch),
        };
        let found = records
            .iter()
            .find(|record| record.payment_id.eq_ignore_ascii_case(payment_id));
        match found.map(|record| record.status) {
            Some(PaymentRecordStatus::Refunded) => CallOutcome::Success(()),
            Some(_) => CallOutcome::Rejected(PeerRejection::new(
                "says that it is refunded already, but shows that it is not",
            )),
            // A missing record proves nothing.
            None => CallOutcome::Retryable(CallFailure::new(
                "says that it is refunded already, but does not show it",
            )),
        }
    }
}

fn read(
    response: &PeerResponse,
    amount: Money,
    order_id: OrderId,
) -> Result<CallOutcome<()>, CallFailure> {
    let body = response.json()?;
    let layers = json::layers(&body, &["refund", WRAPPERS[0], WRAPPERS[1]]);
    let sent = SentFields {
        amount: Some(amount),
        ..SentFields::order(order_id)
    };
    if let Some(mismatch) = sent.mismatch_in(&layers) {
        return Ok(CallOutcome::Mismatched(mismatch));
    }
    let (state, word) = status::of_response(&layers);
    match (state, word.as_str()) {
        // "Completed" or "paid" may be the payment's status before the refund.
        (PaymentRecordStatus::Taken, "status COMPLETED" | "status PAID")
        | (PaymentRecordStatus::Other, _) => {
            let status = response.status;
            Err(CallFailure::new(format!("answered {status} with {word}")))
        }
        (PaymentRecordStatus::Refunded | PaymentRecordStatus::Taken, _) => {
            Ok(CallOutcome::Success(()))
        }
        (PaymentRecordStatus::Failed, _) => {
            let reason = response.message().unwrap_or(word);
            Ok(CallOutcome::Rejected(PeerRejection::new(reason)))
        }
    }
}

/// Whether a rejection may report an earlier refund. The check is broad, because a lookup decides.
fn may_be_refunded(response: &PeerResponse) -> bool {
    response.message().is_some_and(|message| {
        let message = message.to_lowercase();
        message.contains("already") || message.contains("refunded")
    })
}
