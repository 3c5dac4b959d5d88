//! Loading a saga, and the plan as columns.

use sqlx::PgConnection;
use uuid::Uuid;

use crate::db::Error;
use crate::db::rows::cancel_reason;
use crate::domain::ids::OrderId;
use crate::domain::saga::plan::Plan;
use crate::domain::saga::{Claim, Doubt, Phase, Saga};
use crate::domain::step::Step;

/// Loads the saga of a claim; `None` when the claim is superseded or released.
#[tracing::instrument(name = "db.fulfilments.load", skip_all)]
pub async fn load(conn: &mut PgConnection, claim: Claim) -> Result<Option<Saga>, Error> {
    // The order first: a cancel request in between raises the order's version, so that a write that names
    // the older one conflicts. In the other order the request would be missed.
    let Some(order) = crate::db::orders::find(conn, None, claim.order_id).await? else {
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
    Ok(Some(Saga {
        claim,
        identity: row.identity,
        plan: plan.read(claim.order_id)?,
        lapsed: row.lapsed,
        attempts: row.attempts,
        turns: row.turns,
        cancel_request: cancel_reason(row.cancel_reason.as_deref(), claim.order_id.0)?,
        payment_id: row.payment_id,
        shipment_id: row.shipment_id,
        order,
    }))
}

/// The position of an order's saga; `None` when the order has none.
#[tracing::instrument(name = "db.fulfilments.plan_of", skip_all)]
pub async fn plan_of(conn: &mut PgConnection, order_id: OrderId) -> Result<Option<Plan>, Error> {
    let row = sqlx::query!(
        "select phase, step, doubt, flag from fulfilments where order_id = $1",
        order_id.0,
    )
    .fetch_optional(conn)
    .await?;
    row.map(|row| {
        let columns = PlanColumns {
            phase: &row.phase,
            step: row.step.as_deref(),
            doubt: row.doubt.as_deref(),
            flag: row.flag,
        };
        columns.read(order_id)
    })
    .transpose()
}

/// The id of the order that was placed under this identity.
#[tracing::instrument(name = "db.fulfilments.of_identity", skip_all)]
pub async fn find_by_identity(
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

/// A plan as the table stores it.
pub(super) struct PlanColumns<'a> {
    pub phase: &'a str,
    pub step: Option<&'a str>,
    pub doubt: Option<&'a str>,
    pub flag: bool,
}

impl PlanColumns<'static> {
    pub fn of(plan: Plan) -> Self {
        let (step, doubt, flag) = match plan {
            Plan::Doing { step, doubt } => (Some(step), doubt, false),
            Plan::Recalling { committed } => (None, Doubt::None, committed),
            Plan::Undoing(step) => (Some(step), Doubt::None, false),
            Plan::Completed | Plan::Undone => (None, Doubt::None, false),
            Plan::Stuck { step, undoing } => (Some(step), Doubt::None, undoing),
        };
        let doubt = match doubt {
            Doubt::None => None,
            Doubt::Step => Some("step"),
            Doubt::StepAndLater => Some("rest"),
        };
        Self {
            phase: plan.phase().as_str(),
            step: step.map(Step::as_str),
            doubt,
            flag,
        }
    }
}

impl PlanColumns<'_> {
    fn read(&self, order_id: OrderId) -> Result<Plan, Error> {
        let step = || step(self.step, order_id.0)?.ok_or(unreadable("step", order_id.0));
        Ok(match phase(self.phase, order_id.0)? {
            Phase::Doing => Plan::Doing {
                step: step()?,
                doubt: match self.doubt {
                    None => Doubt::None,
                    Some("step") => Doubt::Step,
                    Some(_) => Doubt::StepAndLater,
                },
            },
            Phase::Recalling => Plan::Recalling {
                committed: self.flag,
            },
            Phase::Undoing => Plan::Undoing(step()?),
            Phase::Completed => Plan::Completed,
            Phase::Undone => Plan::Undone,
            Phase::Stuck => Plan::Stuck {
                step: step()?,
                undoing: self.flag,
            },
        })
    }
}

/// Parses the column `phase`.
pub(super) fn phase(name: &str, order_id: i64) -> Result<Phase, Error> {
    Phase::from_name(name).ok_or(unreadable("phase", order_id))
}

/// Parses the column `step`.
pub(super) fn step(name: Option<&str>, order_id: i64) -> Result<Option<Step>, Error> {
    name.map(|name| Step::from_name(name).ok_or(unreadable("step", order_id)))
        .transpose()
}

fn unreadable(column: &'static str, order_id: i64) -> Error {
    Error::Unreadable { column, order_id }
}
