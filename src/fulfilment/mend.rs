//! Takes back what a standing order has too much of, once reconciliation has found it.

use std::time::Duration;

use crate::db;
use crate::db::fulfilments::{self, Claim, Fulfilment, Mark, Next, Written};
use crate::db::run;
use crate::domain::event::OrderEvent;
use crate::domain::plan::{Outcome, Plan};

use super::attempt::Attempt;
use super::follow_shipment::ends_here;
use super::{Fulfilments, Keys};

/// How often to write down what was done when the order changes at the same moment.
const TRIES: usize = 5;

/// Records of one order at its peers, each made under the order's own key, that it has beside the
/// one that counts.
#[derive(Clone, Debug, Default)]
pub struct Surplus {
    /// Charges of the order's total.
    pub payment_ids: Vec<String>,
    /// Parcels.
    pub shipment_ids: Vec<String>,
}

impl Fulfilments {
    /// Refunds and calls back the surplus of a standing order that was claimed for it, and lets the
    /// claim go. Returns why not all of it was to be had, if so.
    pub async fn take_back(
        &self,
        claim: Claim,
        surplus: Surplus,
    ) -> Result<Option<String>, db::Error> {
        let Some(mut fulfilment) = self.load(claim).await? else {
            return Ok(Some("somebody else has taken over".to_owned()));
        };
        let mut facts = Vec::new();
        let mut reason = None;
        let charges = surplus.payment_ids.into_iter().map(Record::Charge);
        let parcels = surplus.shipment_ids.into_iter().map(Record::Parcel);
        for record in charges.chain(parcels) {
            if !self.renew(claim).await? {
                return Ok(Some("somebody else has taken over".to_owned()));
            }
            let attempt = self.take_back_one(&fulfilment, record).await;
            facts.extend(attempt.facts.into_iter().map(of_surplus));
            if attempt.outcome != Outcome::Done {
                reason = Some(attempt.reason.unwrap_or_default());
                break;
            }
        }
        for _ in 0..TRIES {
            match self.note(&fulfilment, &facts, reason.as_deref()).await? {
                Written::Yes(_) => return Ok(reason),
                Written::Superseded => break,
                Written::Changed => {}
            }
            match self.load(claim).await? {
                Some(fresh) => fulfilment = fresh,
                None => break,
            }
        }
        Ok(reason.or(Some("what was done could not be written down".to_owned())))
    }

    async fn take_back_one(&self, fulfilment: &Fulfilment, record: Record) -> Attempt {
        match record {
            Record::Charge(payment_id) => {
                self.refund(fulfilment, vec![payment_id], "charged twice")
                    .await
            }
            Record::Parcel(shipment_id) => {
                let keys = Keys::of(fulfilment);
                match self.cancel_shipments(&keys, vec![shipment_id]).await {
                    Ok(facts) => Attempt::done(facts),
                    Err(attempt) => attempt,
                }
            }
        }
    }

    async fn renew(&self, claim: Claim) -> Result<bool, db::Error> {
        run!(self.db, |conn| fulfilments::renew(
            conn,
            claim,
            self.settings.lease
        ))
        .await
    }

    /// Writes down what was taken back; the order stands as before, and is followed as before.
    async fn note(
        &self,
        fulfilment: &Fulfilment,
        facts: &[OrderEvent],
        reason: Option<&str>,
    ) -> Result<Written, db::Error> {
        let (state, facts) = fulfilment.order.state.after(facts.to_vec());
        let next = if fulfilment.cancel.is_some() {
            Next::After(Duration::ZERO)
        } else if ends_here(state.shipping_status) {
            Next::Never
        } else {
            Next::After(self.settings.follow_interval)
        };
        let mut after = fulfilment.clone();
        after.plan = Plan::Completed;
        after.attempts = 0;
        after.turns += 1;
        after.order.state = state;
        let mark = Mark {
            after: &after,
            facts: &facts,
            next,
            last_answer: reason,
            cancel_decided: false,
            lazy: false,
        };
        run!(self.db, |conn| fulfilments::record(conn, fulfilment, &mark)).await
    }
}

enum Record {
    Charge(String),
    Parcel(String),
}

/// What was taken back is not what the order stands on.
fn of_surplus(fact: OrderEvent) -> OrderEvent {
    match fact {
        OrderEvent::PaymentRefunded { payment_id } => {
            OrderEvent::SurplusPaymentRefunded { payment_id }
        }
        OrderEvent::ShipmentCancelled { shipment_id } => {
            OrderEvent::SurplusShipmentCancelled { shipment_id }
        }
        other => other,
    }
}
