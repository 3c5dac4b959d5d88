//! The table `fulfilments`: where each order's fulfilment stands, and who is at it.
//!
//! Whoever claims a row raises its epoch; every later write names that epoch, and a write that
//! meets another one does nothing. A lease that was not given back means that its holder died, and
//! that what it was doing may have been sent. The clock is the database's.

use sqlx::PgConnection;
use uuid::Uuid;

use crate::domain::cancel_reason::CancelReason;
use crate::domain::ids::OrderId;
use crate::domain::order::Order;
use crate::domain::plan::{Doubt, Plan, Step};

use super::Error;
use super::rows::cancel_reason;

mod attention;
mod cancel;
mod claims;
mod comparison;
mod counts;
mod record;

pub use attention::{Attention, Ruling, Standing, needing_attention, plan_of, rule, standing_of};
pub use cancel::request_cancel;
pub use claims::{claim_due, claim_one, give_back, hasten, renew};
pub use comparison::{
    OrderSnapshot, SagaSnapshot, clock, leave_to_person, order_snapshots, order_snapshots_after,
    take_in_hand,
};
pub use counts::{OpenCounts, count_open, due_lag};
pub use record::{Mark, Next, Written, record};

/// The right to drive an order's fulfilment, until the lease ends or somebody else claims it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Which order.
    pub order_id: OrderId,
    /// The number of this claim; later ones are higher.
    pub epoch: i64,
}

/// A fulfilment as it was last read or written.
#[derive(Clone, Debug)]
pub struct Fulfilment {
    /// The claim under which it is driven.
    pub claim: Claim,
    /// The random identity from which the keys sent to peers derive.
    pub identity: Uuid,
    /// Where it stands.
    pub plan: Plan,
    /// How many reservations have lapsed.
    pub lapsed: i16,
    /// Attempts at the current step that led nowhere.
    pub attempts: i32,
    /// How many turns are written, each an attempt or an acted upon wish. Its holder knows by this what has
    /// become of a write whose answer was lost.
    pub turns: i32,
    /// For whom the order is to be called off, if somebody asked.
    pub cancel: Option<CancelReason>,
    /// Payment's number for the charge.
    pub payment_id: Option<String>,
    /// Shipping's number for the parcel.
    pub shipment_id: Option<String>,
    /// The order itself.
    pub order: Order,
}

/// The epoch that an order is born with. It is a random part of its identity: where a failover has
/// forgotten an order and its number is given again, whoever drives the old one is superseded.
pub fn first_epoch(identity: Uuid) -> i64 {
    let [.., a, b, c, d] = identity.into_bytes();
    u32::from_be_bytes([a, b, c, d]).into()
}

impl Fulfilment {
    /// Whether nobody has held it but the process that placed the order.
    pub fn is_begun_here(&self) -> bool {
        self.claim.epoch == first_epoch(self.identity)
    }

    /// The fulfilment of an order that this process has just placed and holds the lease of.
    pub fn begun(order: Order, identity: Uuid) -> Self {
        Self {
            claim: Claim {
                order_id: order.order_id,
                epoch: first_epoch(identity),
            },
            identity,
            plan: Plan::START,
            lapsed: 0,
            attempts: 0,
            turns: 0,
            cancel: None,
            payment_id: None,
            shipment_id: None,
            order,
        }
    }
}

/// Reads what a claim is about; `None` when it has been superseded or given back.
#[tracing::instrument(name = "db.fulfilments.load", skip_all)]
pub async fn load(conn: &mut PgConnection, claim: Claim) -> Result<Option<Fulfilment>, Error> {
    // The order first: a wish to cancel that comes in between raises the order's version, and a
    // write that names the older one does nothing. The other way round it would go unseen.
    let Some(order) = super::orders::find(conn, None, claim.order_id).await? else {
        return Ok(None);
    };
    let row = sqlx::query!(
        r#"
        select identity, phase, step, doubt, flag, lapsed, attempts, turns, cancel_reason, payment_id, shipment_id
        from fulfilments where order_id = $1 and epoch = $2 and leased
        "#,
        claim.order_id.0,
        claim.epoch,
    )
    .fetch_optional(&mut *conn)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let plan = PlanColumns {
        phase: &row.phase,
        step: row.step.as_deref(),
        doubt: row.doubt.as_deref(),
        flag: row.flag,
    };
    Ok(Some(Fulfilment {
        claim,
        identity: row.identity,
        plan: plan.read(claim.order_id)?,
        lapsed: row.lapsed,
        attempts: row.attempts,
        turns: row.turns,
        cancel: cancel_reason(row.cancel_reason.as_deref(), claim.order_id.0)?,
        payment_id: row.payment_id,
        shipment_id: row.shipment_id,
        order,
    }))
}

/// The order whose fulfilment has this identity.
#[tracing::instrument(name = "db.fulfilments.of_identity", skip_all)]
pub async fn of_identity(
    conn: &mut PgConnection,
    identity: Uuid,
) -> Result<Option<OrderId>, Error> {
    let order_id = sqlx::query_scalar!(
        "select order_id from fulfilments where identity = $1",
        identity
    )
    .fetch_optional(conn)
    .await?;
    Ok(order_id.map(OrderId))
}

/// A plan as the table holds it.
struct PlanColumns<'a> {
    phase: &'a str,
    step: Option<&'a str>,
    doubt: Option<&'a str>,
    flag: bool,
}

impl PlanColumns<'static> {
    fn of(plan: Plan) -> Self {
        let (phase, step, doubt, flag) = match plan {
            Plan::Doing { step, doubt } => ("doing", Some(step), doubt, false),
            Plan::Recalling { committed } => ("recalling", None, Doubt::None, committed),
            Plan::Undoing(step) => ("undoing", Some(step), Doubt::None, false),
            Plan::Completed => ("completed", None, Doubt::None, false),
            Plan::Undone => ("undone", None, Doubt::None, false),
            Plan::Stuck { step, undoing } => ("stuck", Some(step), Doubt::None, undoing),
        };
        let doubt = match doubt {
            Doubt::None => None,
            Doubt::Step => Some("step"),
            Doubt::Rest => Some("rest"),
        };
        Self {
            phase,
            step: step.map(Step::as_str),
            doubt,
            flag,
        }
    }
}

impl PlanColumns<'_> {
    fn read(&self, order_id: OrderId) -> Result<Plan, Error> {
        let unreadable = |column| Error::Unreadable {
            column,
            order_id: order_id.0,
        };
        let step = || {
            self.step
                .and_then(Step::from_name)
                .ok_or(unreadable("step"))
        };
        Ok(match self.phase {
            "doing" => Plan::Doing {
                step: step()?,
                doubt: match self.doubt {
                    None => Doubt::None,
                    Some("step") => Doubt::Step,
                    Some(_) => Doubt::Rest,
                },
            },
            "recalling" => Plan::Recalling {
                committed: self.flag,
            },
            "undoing" => Plan::Undoing(step()?),
            "completed" => Plan::Completed,
            "undone" => Plan::Undone,
            "stuck" => Plan::Stuck {
                step: step()?,
                undoing: self.flag,
            },
            _ => return Err(unreadable("phase")),
        })
    }
}
