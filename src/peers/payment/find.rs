//! Asking what was charged, for an order or at all.

use serde_json::Value;

use super::{Payment, PaymentRecord, PaymentRecordStatus};
use crate::domain::ids::OrderId;
use crate::peers::answer::{CallFailure, CallOutcome};
use crate::peers::call::{CallContext, operation};
use crate::peers::{ListingCursor, ListingPage, json, list, pages};

impl Payment {
    /// The payments of an order. That there are none is no proof that none is under way.
    ///
    /// There is no definite no: whatever is not a list is unclear.
    pub async fn find(
        &self,
        tag: CallContext<'_>,
        order_id: OrderId,
    ) -> CallOutcome<Vec<PaymentRecord>> {
        let work = async {
            let path = ["v1", "payments"];
            let reply = self.peer.get_by_order(&tag, &path, order_id).await?;
            let records = list::of_order(&reply, "payments", order_id)?;
            let records: Result<_, _> = records.iter().map(read).collect();
            records.map(CallOutcome::Success)
        };
        self.peer
            .call(operation!("payment", "find"), &tag, work)
            .await
    }

    /// A page of all payments, where the peer lists them; no means that it does not.
    pub async fn list(
        &self,
        tag: CallContext<'_>,
        at: &ListingCursor,
    ) -> CallOutcome<ListingPage<PaymentRecord>> {
        let work = async {
            let reply = self.peer.get_page(&tag, &["v1", "payments"], at).await?;
            pages::read(&reply, "payments", at, read)
        };
        self.peer
            .call(operation!("payment", "list"), &tag, work)
            .await
    }
}

fn read(record: &Value) -> Result<PaymentRecord, CallFailure> {
    let payment_id = json::id(record, "payment_id").or_else(|| json::id(record, "id"));
    Ok(PaymentRecord {
        // Leaving it out could hide money that was taken.
        payment_id: payment_id
            .ok_or_else(|| CallFailure::new("answered a payment without an id"))?,
        status: json::word(record, "status").map_or(PaymentRecordStatus::Other, |word| {
            PaymentRecordStatus::of(&word)
        }),
        amount: record.get("amount").and_then(json::decimal),
        reference: json::line(record, "reference"),
        idempotency_key: json::line(record, "idempotency_key"),
        created_at: record.get("created_at").and_then(json::time),
    })
}
