//! Committing a decision of staff about a stuck saga.

use sqlx::PgConnection;

use crate::db::Error;
use crate::db::change::change_order;
use crate::db::events::Columns;
use crate::domain::event::{Actor, OrderEvent};
use crate::domain::order::{Order, OrderState};
use crate::domain::saga::plan::Plan;
use crate::domain::status::Status as _;

use super::load::PlanColumns;

/// A decision of staff about a stuck saga.
#[derive(Debug)]
pub struct ManualResolution<'a> {
    /// Where the saga continues.
    pub plan: Plan,
    /// Whether it runs now. Otherwise it runs only after a cancel request or another decision of staff.
    pub due: bool,
    /// The order's new state.
    pub state: &'a OrderState,
    /// The events that lead to it.
    pub events: &'a [OrderEvent],
    /// The member of staff.
    pub actor: &'a Actor,
}

/// Commits a resolution; `false` when the order has changed since it was read, or its saga is not stuck.
#[tracing::instrument(name = "db.fulfilments.rule", skip_all)]
pub async fn resolve_stuck(
    conn: &mut PgConnection,
    order: &Order,
    resolution: &ManualResolution<'_>,
) -> Result<bool, Error> {
    let plan = PlanColumns::of(resolution.plan);
    let events = Columns::new(resolution.events, resolution.actor);
    let state = resolution.state;
    let changed = change_order!(
        guard: "guard as (
                select from fulfilments where order_id = $1 and phase = 'stuck' for update
            )",
        set: "order_status = $6, payment_status = $7, shipping_status = $8, cancel_reason = $9,",
        saga: ", saga as (
                update fulfilments set phase = $10, step = $11, doubt = $12, flag = $13, attempts = 0,
                    leased = false, due_at = case when $14 then now() end, changed_at = now(),
                    since = now()
                where order_id = $1 and exists (select from changed)
            )",
        select: "select version from changed",
        order.order_id.0,
        order.version,
        events,
        state.order_status.as_str(),
        state.payment_status.as_str(),
        state.shipping_status.as_str(),
        state.cancel_reason.map(|reason| reason.as_str()),
        plan.phase,
        plan.step,
        plan.doubt,
        plan.flag,
        resolution.due,
    )
    .fetch_optional(conn)
    .await?;
    Ok(changed.is_some())
}
