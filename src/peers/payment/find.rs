//! Looks up the payments of one order, and lists all payments.

use serde_json::Value;

use super::{Payment, PaymentRecord, PaymentRecordStatus};
use crate::domain::ids::OrderId;
use crate::peers::call::{CallContext, operation};
use crate::peers::outcome::{CallFailure, CallOutcome};
use crate::peers::pages::{self, ListingCursor, ListingPage};
use crate::peers::{json, list};

impl Payment {
    /// The payments of an order. If there are none, one may still be in flight.
    ///
    /// A lookup is never rejected: every response that is not a list is retryable.
    pub async fn find(
        &self,
        context: CallContext<'_>,
        order_id: OrderId,
    ) -> CallOutcome<Vec<PaymentRecord>> {
        let work = async {
            let path = ["v1", "payments"];
            let response = self.peer.get_by_order(&context, &path, order_id).await?;
            let records = list::of_order(&response, "payments", order_id)?;
            let records: Result<_, _> = records.iter().map(read).collect();
            records.map(CallOutcome::Success)
        };
        self.peer
            .call(operation!(Lookup, "payment", "find"), &context, work)
            .await
    }

    /// A page of all payments. Rejected if the peer does not list them.
    pub async fn list(
        &self,
        context: CallContext<'_>,
        cursor: &ListingCursor,
    ) -> CallOutcome<ListingPage<PaymentRecord>> {
        let work = async {
            let response = self
                .peer
                .get_page(&context, &["v1", "payments"], cursor)
                .await?;
            pages::read(&response, "payments", cursor, read)
        };
        self.peer
            .call(operation!(NoSaga, "payment", "list"), &context, work)
            .await
    }
}

fn read(record: &Value) -> Result<PaymentRecord, CallFailure> {
    let payment_id = json::id(record, "payment_id").or_else(|| json::id(record, "id"));
    Ok(PaymentRecord {
        // Dropping the record could hide a charge.
        payment_id: payment_id
            .ok_or_else(|| CallFailure::new("answered a payment without an id"))?,
        status: json::status_word(record, "status").map_or(PaymentRecordStatus::Other, |word| {
            PaymentRecordStatus::of(&word)
        }),
        amount: record.get("amount").and_then(json::decimal),
        reference: json::line(record, "reference"),
        idempotency_key: json::line(record, "idempotency_key"),
        created_at: record.get("created_at").and_then(json::time),
    })
}
