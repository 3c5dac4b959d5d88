//! What needs a person: finding it, and writing down what the person has decided.

use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::db::Error;
use crate::db::events::Columns;
use crate::domain::event::{Actor, OrderEvent};
use crate::domain::ids::OrderId;
use crate::domain::order::{Order, OrderState};
use crate::domain::plan::Plan;
use crate::domain::status::Status as _;

use super::PlanColumns;

/// A fulfilment that a person should know of.
#[derive(Clone, Debug)]
pub struct Attention {
    /// Which order.
    pub order_id: i64,
    /// Whose it is.
    pub customer_id: i64,
    /// `stuck`: nothing happens without a person. Else it goes on by itself, but has for long.
    pub phase: String,
    /// Where it stands.
    pub step: Option<String>,
    /// Since when.
    pub since: OffsetDateTime,
    /// Attempts that led nowhere.
    pub attempts: i32,
    /// What the peer last said.
    pub last_answer: Option<String>,
    /// When it is looked at again by itself.
    pub due_at: Option<OffsetDateTime>,
}

/// The fulfilments that wait for a person, and those that have stood where they stand for longer
/// than `patience_s`; longest first.
#[tracing::instrument(name = "db.fulfilments.needing_attention", skip_all)]
pub async fn needing_attention(
    conn: &mut PgConnection,
    patience_s: f64,
    limit: i64,
) -> Result<Vec<Attention>, Error> {
    let found = sqlx::query_as!(
        Attention,
        r#"
        select f.order_id, o.customer_id, f.phase, f.step, f.since, f.attempts, f.last_answer, f.due_at
        from fulfilments f
        join orders o on o.order_id = f.order_id
        where f.phase in ('doing', 'recalling', 'undoing', 'stuck')
            and (f.phase = 'stuck' or f.since < now() - make_interval(secs => $1))
        order by f.since
        limit $2
        "#,
        patience_s,
        limit,
    )
    .fetch_all(conn)
    .await?;
    Ok(found)
}

/// Where an order's fulfilment stands; `None` when it has none.
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

/// Where a fulfilment stands, for whoever has to decide about it.
#[derive(Clone, Debug)]
pub struct Standing {
    /// From which the keys of its calls derive.
    pub identity: Uuid,
    /// As in [`Attention`]; `completed` and `undone` besides.
    pub phase: String,
    /// At which step.
    pub step: Option<String>,
    /// Attempts that led nowhere.
    pub attempts: i32,
    /// Since when.
    pub since: OffsetDateTime,
    /// When it is looked at again by itself.
    pub due_at: Option<OffsetDateTime>,
    /// What the peer last said.
    pub last_answer: Option<String>,
}

/// Where an order's fulfilment stands, in full; `None` when it has none.
#[tracing::instrument(name = "db.fulfilments.standing_of", skip_all)]
pub async fn standing_of(
    conn: &mut PgConnection,
    order_id: OrderId,
) -> Result<Option<Standing>, Error> {
    let found = sqlx::query_as!(
        Standing,
        "select identity, phase, step, attempts, since, due_at, last_answer from fulfilments where order_id = $1",
        order_id.0,
    )
    .fetch_optional(conn)
    .await?;
    Ok(found)
}

/// What a person has decided.
#[derive(Debug)]
pub struct Ruling<'a> {
    /// Where the fulfilment goes on.
    pub plan: Plan,
    /// Whether there is something to do now.
    pub due: bool,
    /// The order's new state.
    pub state: &'a OrderState,
    /// What led to it.
    pub facts: &'a [OrderEvent],
    /// Who decided.
    pub actor: &'a Actor,
}

/// Writes a ruling; `false` when the order has changed since it was read, or waits for nobody.
#[tracing::instrument(name = "db.fulfilments.rule", skip_all)]
pub async fn rule(
    conn: &mut PgConnection,
    order: &Order,
    ruling: &Ruling<'_>,
) -> Result<bool, Error> {
    let plan = PlanColumns::of(ruling.plan);
    let events = Columns::new(ruling.facts, ruling.actor);
    let state = ruling.state;
    let written = sqlx::query!(
        r#"
        with held as (
            select order_id from fulfilments where order_id = $1 and phase = 'stuck' for update
        ), moved as (
            update orders set order_status = $3, payment_status = $4, shipping_status = $5,
                cancel_reason = $6, version = version + cardinality($7::text[]), updated_at = now()
            where order_id = $1 and version = $2 and exists (select from held)
            returning version
        ), marked as (
            update fulfilments set phase = $10, step = $11, doubt = $12, flag = $13, attempts = 0,
                leased = false, due_at = case when $14 then now() end, changed_at = now(), since = now()
            where order_id = $1 and exists (select from moved)
        )
        insert into order_events (order_id, seq, code, actor, data)
        select $1, $2 + event.place, event.code, event.actor, event.data
        from moved, unnest($7::text[], $8::text[], $9::jsonb[])
            with ordinality as event (code, actor, data, place)
        "#,
        order.order_id.0,
        order.version,
        state.order_status.as_str(),
        state.payment_status.as_str(),
        state.shipping_status.as_str(),
        state.cancel_reason.map(|reason| reason.as_str()),
        &events.codes,
        &events.actors,
        &events.data,
        plan.phase,
        plan.step,
        plan.doubt,
        plan.flag,
        ruling.due,
    )
    .execute(conn)
    .await?;
    Ok(written.rows_affected() > 0)
}
