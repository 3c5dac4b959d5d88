//! Repairs of confirmed orders: refunds surplus charges and recalls surplus parcels that reconciliation has
//! found.

use crate::db::sagas::CommitResult;
use crate::db::{self, optimistic, run, sagas};
use crate::domain::event::{Actor, OrderEvent};
use crate::domain::saga::{Claim, Saga, StepOutcome, StepResult};

use super::backoff::wait;
use super::{CallKeys, SagaExecutor};

/// Records of one order at its peers, each made under the order's own key, beside the one that counts.
#[derive(Clone, Debug, Default)]
pub struct SurplusRecords {
    /// Charges of the order's total.
    pub payment_ids: Vec<String>,
    /// Parcels.
    pub shipment_ids: Vec<String>,
}

enum SurplusRecord {
    Charge(String),
    Parcel(String),
}

impl SagaExecutor {
    /// Refunds and recalls the surplus of a confirmed order under a claim made for it, and releases the
    /// lease. Returns why a part of it remains, if one does.
    pub async fn repair_surplus(
        &self,
        claim: Claim,
        surplus: SurplusRecords,
    ) -> Result<Option<String>, db::Error> {
        let Some(saga) = self.load(claim).await? else {
            return Ok(Some("another worker has claimed the order".to_owned()));
        };
        let mut events = Vec::new();
        let mut reason = None;
        let charges = surplus.payment_ids.into_iter().map(SurplusRecord::Charge);
        let parcels = surplus.shipment_ids.into_iter().map(SurplusRecord::Parcel);
        for record in charges.chain(parcels) {
            if !self.renew(claim).await? {
                return Ok(Some("another worker has claimed the order".to_owned()));
            }
            let result = self.remove_surplus(&saga, record).await;
            events.extend(result.events.into_iter().map(of_surplus));
            if result.outcome != StepOutcome::Done {
                reason = Some(result.reason.unwrap_or_default());
                break;
            }
        }
        let committed =
            optimistic::retry(async || self.commit_repair(claim, &events, reason.as_deref()).await);
        match committed.await? {
            Some(true) => Ok(reason),
            Some(false) | None => {
                Ok(reason.or(Some("the repair could not be committed".to_owned())))
            }
        }
    }

    async fn remove_surplus(&self, saga: &Saga, record: SurplusRecord) -> StepResult {
        match record {
            SurplusRecord::Charge(payment_id) => {
                self.refund(saga, vec![payment_id], "charged twice").await
            }
            SurplusRecord::Parcel(shipment_id) => {
                let keys = CallKeys::of(saga);
                match self.cancel_shipments(&keys, vec![shipment_id]).await {
                    Ok(events) => StepResult::done(events),
                    Err(result) => result,
                }
            }
        }
    }

    /// Commits a repair once: `Some(false)` when the claim is superseded, `None` after a conflict.
    async fn commit_repair(
        &self,
        claim: Claim,
        events: &[OrderEvent],
        reason: Option<&str>,
    ) -> Result<Option<bool>, db::Error> {
        let Some(saga) = self.load(claim).await? else {
            return Ok(Some(false));
        };
        let transition = saga.apply_repair(events, reason, &self.settings.retry);
        let (actor, wait) = (Actor::saga(), wait(transition.next_run));
        let result = run!(self.db, |conn| sagas::commit(
            conn,
            &saga,
            &transition,
            &actor,
            wait
        ));
        Ok(match result.await? {
            CommitResult::Committed(_) => Some(true),
            CommitResult::Superseded => Some(false),
            CommitResult::Conflict => None,
        })
    }
}

/// The event of a repair: unlike a refund or a recall, it leaves the order's state as it is.
fn of_surplus(event: OrderEvent) -> OrderEvent {
    match event {
        OrderEvent::PaymentRefunded { payment_id } => {
            OrderEvent::SurplusPaymentRefunded { payment_id }
        }
        OrderEvent::ShipmentCancelled { shipment_id } => {
            OrderEvent::SurplusShipmentCancelled { shipment_id }
        }
        other => other,
    }
}
