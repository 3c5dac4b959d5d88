//! Payment takes the order's total; undone, it gives the total back.

use crate::db::fulfilments::Fulfilment;
use crate::domain::event::OrderEvent;
use crate::peers::{CallOutcome, ChargeRequest, PaymentRecord, PaymentRecordStatus};

use super::attempt::Attempt;
use super::{Fulfilments, Keys, may_be_ours};

/// Why money goes back, in the words that Payment is given.
const CANCELLED: &str = "order cancelled";

impl Fulfilments {
    pub(super) async fn charge_payment(&self, fulfilment: &Fulfilment) -> Attempt {
        let keys = Keys::of(fulfilment);
        let key = keys.key("charge_payment");
        let order = &fulfilment.order;
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
                return Attempt::of(
                    other,
                    |_| Attempt::done([]),
                    |reason| Some(OrderEvent::PaymentDeclined { reason }),
                );
            }
        };
        match charged.payment_id {
            Some(payment_id) => taken(payment_id, charged.reference),
            None => self.look_up_charge(fulfilment, &keys).await,
        }
    }

    /// Some peers confirm a charge without saying its number.
    async fn look_up_charge(&self, fulfilment: &Fulfilment, keys: &Keys) -> Attempt {
        match self.charges(fulfilment, keys).await {
            Ok(charges) => match charges.into_iter().next() {
                Some(charge) => taken(charge.payment_id, charge.reference),
                None => Attempt::unclear_because("the charge was confirmed but is not listed"),
            },
            Err(attempt) => attempt,
        }
    }

    /// Gives back whatever was taken for the order. A charge whose number was never learnt is looked
    /// up; where there is none, there is nothing to give back.
    pub(super) async fn refund_payment(&self, fulfilment: &Fulfilment) -> Attempt {
        match &fulfilment.payment_id {
            Some(payment_id) => {
                self.refund(fulfilment, vec![payment_id.clone()], CANCELLED)
                    .await
            }
            None => self.refund_found(fulfilment).await,
        }
    }

    /// Gives back the charges that Payment lists for the order, known to us or not.
    pub(super) async fn refund_found(&self, fulfilment: &Fulfilment) -> Attempt {
        match self.charges(fulfilment, &Keys::of(fulfilment)).await {
            Ok(charges) => {
                let payment_ids = charges
                    .into_iter()
                    .map(|charge| charge.payment_id)
                    .collect();
                self.refund(fulfilment, payment_ids, CANCELLED).await
            }
            Err(attempt) => attempt,
        }
    }

    pub(super) async fn refund(
        &self,
        fulfilment: &Fulfilment,
        payment_ids: Vec<String>,
        why: &str,
    ) -> Attempt {
        let keys = Keys::of(fulfilment);
        let order = &fulfilment.order;
        let amount = order.totals.order_total;
        let mut facts = Vec::new();
        for payment_id in payment_ids {
            let key = keys.key(&format!("refund_payment-{payment_id}"));
            let answer = self
                .peers
                .payment
                .refund(
                    keys.call_context(&key),
                    &payment_id,
                    amount,
                    why,
                    order.order_id,
                )
                .await;
            match answer {
                CallOutcome::Success(()) => facts.push(OrderEvent::PaymentRefunded { payment_id }),
                other => return Attempt::of(other, |()| Attempt::done([]), |_| None),
            }
        }
        Attempt::done(facts)
    }

    /// The charges that stand for the order: taken, not given back, of its amount, and not from an
    /// earlier life of the database, in which the number was another order's. One that is still
    /// open may yet be taken, so that nobody can say.
    async fn charges(
        &self,
        fulfilment: &Fulfilment,
        keys: &Keys,
    ) -> Result<Vec<PaymentRecord>, Attempt> {
        let key = keys.key("find_payment");
        let charge_key = keys.key("charge_payment");
        let amount = fulfilment.order.totals.order_total.decimal();
        let mut records = match self
            .peers
            .payment
            .find(keys.call_context(&key), fulfilment.order.order_id)
            .await
        {
            CallOutcome::Success(records) => records,
            CallOutcome::Rejected(refusal) => return Err(Attempt::unclear_because(refusal.reason)),
            CallOutcome::Retryable(trouble) => return Err(Attempt::unclear(trouble)),
            CallOutcome::Mismatched(refusal) => return Err(Attempt::wrong(refusal.reason)),
        };
        records.retain(|record| {
            record.amount.is_none_or(|taken| taken == amount)
                && may_be_ours(
                    fulfilment.order.created_at,
                    &charge_key,
                    record.idempotency_key.as_deref(),
                    record.created_at,
                )
        });
        if records
            .iter()
            .any(|record| record.status == PaymentRecordStatus::Other)
        {
            return Err(Attempt::unclear_because(
                "a charge of the order is still open",
            ));
        }
        records.retain(|record| record.status == PaymentRecordStatus::Taken);
        Ok(records)
    }
}

fn taken(payment_id: String, reference: Option<String>) -> Attempt {
    let fact = OrderEvent::PaymentCharged {
        payment_id: payment_id.clone(),
        reference,
    };
    Attempt {
        payment_id: Some(payment_id),
        ..Attempt::done([fact])
    }
}
