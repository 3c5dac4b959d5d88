//! Payment charges the order's total; the compensation refunds it.

use crate::domain::event::OrderEvent;
use crate::domain::saga::{Saga, StepResult};
use crate::peers::{CallOutcome, ChargeRequest, PaymentRecord, PaymentRecordStatus};
use crate::saga::{CallKeys, SagaExecutor, may_be_ours};

use super::{looked_up, result_of};

/// The reason of a refund that Payment receives.
const CANCELLED: &str = "order cancelled";

impl SagaExecutor {
    pub(super) async fn charge_payment(&self, saga: &Saga) -> StepResult {
        let keys = CallKeys::of(saga);
        let key = keys.key("charge_payment");
        let order = &saga.order;
        let charge = ChargeRequest {
            order_id: order.order_id,
            customer_id: order.customer_id,
            amount: order.totals.order_total,
            currency: order.currency,
            method: order.payment_method.as_deref(),
        };
        let charged = match self
            .peers
            .payment
            .charge(keys.call_context(&key), &charge)
            .await
        {
            CallOutcome::Success(charged) => charged,
            other => {
                return result_of(
                    other,
                    |_| StepResult::done([]),
                    |reason| Some(OrderEvent::PaymentDeclined { reason }),
                );
            }
        };
        match charged.payment_id {
            Some(payment_id) => charged_as(payment_id, charged.reference),
            None => self.look_up_charge(saga, &keys).await,
        }
    }

    /// Looks up the id of a charge that the peer confirmed without naming it.
    async fn look_up_charge(&self, saga: &Saga, keys: &CallKeys) -> StepResult {
        match self.charges(saga, keys).await {
            Ok(charges) => match charges.into_iter().next() {
                Some(charge) => charged_as(charge.payment_id, charge.reference),
                None => StepResult::unclear("the charge was confirmed but is not listed"),
            },
            Err(result) => result,
        }
    }

    /// Refunds the charge. Without a known id it looks the charge up; without a charge there is nothing to
    /// refund.
    pub(super) async fn refund_payment(&self, saga: &Saga) -> StepResult {
        match &saga.payment_id {
            Some(payment_id) => self.refund(saga, vec![payment_id.clone()], CANCELLED).await,
            None => self.refund_found(saga).await,
        }
    }

    /// Refunds every charge that Payment lists for the order, whether this service knows it or not.
    pub(super) async fn refund_found(&self, saga: &Saga) -> StepResult {
        match self.charges(saga, &CallKeys::of(saga)).await {
            Ok(charges) => {
                let payment_ids = charges
                    .into_iter()
                    .map(|charge| charge.payment_id)
                    .collect();
                self.refund(saga, payment_ids, CANCELLED).await
            }
            Err(result) => result,
        }
    }

    pub(in crate::saga) async fn refund(
        &self,
        saga: &Saga,
        payment_ids: Vec<String>,
        reason: &str,
    ) -> StepResult {
        let keys = CallKeys::of(saga);
        let order = &saga.order;
        let amount = order.totals.order_total;
        let mut events = Vec::new();
        for payment_id in payment_ids {
            let key = keys.key(&format!("refund_payment-{payment_id}"));
            let outcome = self
                .peers
                .payment
                .refund(
                    keys.call_context(&key),
                    &payment_id,
                    amount,
                    reason,
                    order.order_id,
                )
                .await;
            match outcome {
                CallOutcome::Success(()) => events.push(OrderEvent::PaymentRefunded { payment_id }),
                other => return result_of(other, |()| StepResult::done([]), |_| None),
            }
        }
        StepResult::done(events)
    }

    /// The live charges of the order: charged, not refunded, of its amount, and not made for an order that
    /// had the same id before the database was restored. While one is still open the result is unclear.
    async fn charges(
        &self,
        saga: &Saga,
        keys: &CallKeys,
    ) -> Result<Vec<PaymentRecord>, StepResult> {
        let key = keys.key("find_payment");
        let charge_key = keys.key("charge_payment");
        let order = &saga.order;
        let amount = order.totals.order_total.decimal();
        let outcome = self
            .peers
            .payment
            .find(keys.call_context(&key), order.order_id)
            .await;
        let mut records = looked_up(outcome)?;
        records.retain(|record| {
            record.amount.is_none_or(|charged| charged == amount)
                && may_be_ours(
                    order.created_at,
                    &charge_key,
                    record.idempotency_key.as_deref(),
                    record.created_at,
                )
        });
        if records
            .iter()
            .any(|record| record.status == PaymentRecordStatus::Other)
        {
            return Err(StepResult::unclear("a charge of the order is still open"));
        }
        records.retain(|record| record.status == PaymentRecordStatus::Taken);
        Ok(records)
    }
}

fn charged_as(payment_id: String, reference: Option<String>) -> StepResult {
    let event = OrderEvent::PaymentCharged {
        payment_id: payment_id.clone(),
        reference,
    };
    StepResult {
        payment_id: Some(payment_id),
        ..StepResult::done([event])
    }
}
