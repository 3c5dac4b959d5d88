//! What needs a person: finding it, and taking that person's decision.

use std::time::Duration;

use crate::db::fulfilments::{
    Attention, Ruling, Standing, hasten, needing_attention, plan_of, rule, standing_of,
};
use crate::db::{events, run};
use crate::domain::cancel_reason::CancelReason;
use crate::domain::event::OrderEvent;
use crate::domain::ids::OrderId;
use crate::domain::order::Order;
use crate::domain::plan::Plan;
use crate::domain::principal::Principal;
use crate::domain::status::PaymentStatus;
use crate::failpoints;

use super::{Error, Orders, Refusal, for_staff};

/// From when on a fulfilment that goes on by itself is worth a look.
const PATIENCE: Duration = Duration::from_secs(15 * 60);
/// How many are shown at once.
const SHOWN: i64 = 100;
/// How often to decide anew when the order changes at the same moment.
const TRIES: usize = 5;

/// What a person decides about a fulfilment that waits for one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Try again where it stands.
    Retry,
    /// Everything that was open has been done by hand: the order stands.
    Completed,
    /// Everything that was open has been undone by hand: the order is called off, the money returned.
    Cancelled,
}

impl Decision {
    /// The name on the wire and in the events.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Retry => "retry",
            Self::Completed => "completed",
            Self::Cancelled => "cancelled",
        }
    }
}

impl Orders {
    /// The fulfilments that wait for a person, and those that have been at one step for a quarter of
    /// an hour; longest first.
    pub async fn needing_attention(&self, caller: &Principal) -> Result<Vec<Attention>, Error> {
        for_staff(caller)?;
        let patience_s = PATIENCE.as_secs_f64();
        let found = run!(self.db, |conn| needing_attention(conn, patience_s, SHOWN));
        Ok(found.await?)
    }

    /// Where an order's fulfilment stands; `None` where it has none, as imported orders.
    pub async fn standing(
        &self,
        caller: &Principal,
        order_id: OrderId,
    ) -> Result<Option<Standing>, Error> {
        for_staff(caller)?;
        Ok(run!(self.db, |conn| standing_of(conn, order_id)).await?)
    }

    /// Takes a person's decision. A retry of what goes on by itself only makes it look now.
    pub async fn decide(
        &self,
        caller: &Principal,
        order_id: OrderId,
        decision: Decision,
        reason: String,
    ) -> Result<Order, Error> {
        for_staff(caller)?;
        let (this, caller) = (self.clone(), caller.clone());
        self.detached(async move {
            let order = this.rule(&caller, order_id, decision, &reason).await?;
            this.notifications.notify_due(order_id);
            Ok(order)
        })
        .await
    }

    async fn rule(
        &self,
        caller: &Principal,
        order_id: OrderId,
        decision: Decision,
        reason: &str,
    ) -> Result<Order, Error> {
        for _ in 0..TRIES {
            let order = self.find(None, order_id).await?;
            let plan = run!(self.db, |conn| plan_of(conn, order_id)).await?;
            let Some(retried) = plan.and_then(Plan::retried) else {
                return match (decision, plan) {
                    (Decision::Retry, Some(_)) => {
                        run!(self.db, |conn| hasten(conn, order_id)).await?;
                        Ok(order)
                    }
                    _ => Err(Error::NotNow(Refusal::Decision { order_id })),
                };
            };
            let decided = OrderEvent::InterventionResolved {
                decision: decision.as_str(),
                reason: reason.to_owned(),
            };
            let (plan, mut facts) = match decision {
                Decision::Retry if retried.is_undoing() => (retried, calling_off(&order)?),
                Decision::Retry => (retried, Vec::new()),
                Decision::Completed => (Plan::Completed, standing(&order)?),
                Decision::Cancelled => (Plan::Undone, called_off(&order)?),
            };
            facts.insert(0, decided.clone());
            let (state, facts) = order.state.after(facts);
            let actor = caller.actor();
            let ruling = Ruling {
                plan,
                // What was undone by hand is not looked for again: Payment may not know of it.
                due: decision != Decision::Cancelled,
                state: &state,
                facts: &facts,
                actor: &actor,
            };
            failpoints::pass(&["orders", "decide", "before_write"]);
            let written = run!(self.db, |conn| rule(conn, &order, &ruling)).await?;
            // Not written may also mean that it was, by an attempt whose answer was lost.
            let seq = order.version + 1;
            if written
                || run!(self.db, |conn| events::stands(
                    conn, order_id, seq, &decided, &actor
                ))
                .await?
            {
                failpoints::pass(&["orders", "decide", "after_write"]);
                return self.find(None, order_id).await;
            }
        }
        Err(Error::Busy)
    }
}

/// What has to be written before an order is undone further; refused where it cannot be called off.
fn calling_off(order: &Order) -> Result<Vec<OrderEvent>, Error> {
    if order.state.cancel_reason.is_some() {
        return Ok(Vec::new());
    }
    if order.state.is_cancellable() {
        let reason = CancelReason::Staff;
        return Ok(vec![OrderEvent::CompensationStarted { reason }]);
    }
    let why = "its parcel is on its way, or has arrived; resolve it as completed";
    Err(Error::NotNow(Refusal::Cancel {
        order_id: order.order_id,
        why,
    }))
}

/// What has to be written for an order to stand; refused where it is being called off.
fn standing(order: &Order) -> Result<Vec<OrderEvent>, Error> {
    if order.state.cancel_reason.is_none() {
        return Ok(vec![OrderEvent::OrderConfirmed]);
    }
    Err(Error::NotNow(Refusal::Standing {
        order_id: order.order_id,
    }))
}

fn called_off(order: &Order) -> Result<Vec<OrderEvent>, Error> {
    let mut facts = calling_off(order)?;
    if order.state.payment_status == PaymentStatus::Paid {
        facts.push(OrderEvent::PaymentStatusChanged {
            payment_status: PaymentStatus::Refunded,
        });
    }
    facts.push(OrderEvent::OrderCancelled);
    Ok(facts)
}
