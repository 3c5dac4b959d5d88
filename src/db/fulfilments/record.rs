//! Writing down what a turn has led to: the fulfilment, the order and its events in one statement.

use std::time::Duration;

use sqlx::PgConnection;

use crate::db::Error;
use crate::db::events::Columns;
use crate::domain::event::{Actor, OrderEvent};
use crate::domain::status::Status as _;

use super::{Fulfilment, PlanColumns};

/// When a fulfilment is looked at again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// At once, by the same holder, whose lease goes on as it is.
    Now,
    /// After some time, by anybody: the lease is given back.
    After(Duration),
    /// Never, unless somebody asks.
    Never,
}

/// What a turn, or several, have led to.
#[derive(Debug)]
pub struct Mark<'a> {
    /// The fulfilment, and the state of its order, as they now are.
    pub after: &'a Fulfilment,
    /// What led to it.
    pub facts: &'a [OrderEvent],
    /// When it is looked at again.
    pub next: Next,
    /// What the peer last said, for the operator.
    pub last_answer: Option<&'a str>,
    /// Whether the wish to cancel has been decided.
    pub cancel_decided: bool,
    /// Whether the mark may be lost with the database's memory: the step would then be repeated,
    /// which is safe. The acknowledgement, refusals and the final state must not be lost.
    pub lazy: bool,
}

/// What became of a mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// It stands; this is the order's version now.
    Yes(i32),
    /// The order has changed since it was read, as by a wish to cancel: read again, decide again.
    Changed,
    /// Somebody else has claimed the fulfilment: stop.
    Superseded,
}

/// Writes a mark on a fulfilment, the order's new state and its events in one statement, if the claim still
/// holds and both are as they were read.
#[tracing::instrument(name = "db.fulfilments.record", skip_all)]
pub async fn record(
    conn: &mut PgConnection,
    before: &Fulfilment,
    mark: &Mark<'_>,
) -> Result<Written, Error> {
    let after = mark.after;
    let plan = PlanColumns::of(after.plan);
    let (leased, due_in, due_known) = next_columns(mark.next);
    let events = Columns::new(mark.facts, &Actor::saga());
    let state = &after.order.state;
    let row = sqlx::query!(
        r#"
        with held as (
            select turns from fulfilments where order_id = $1 and epoch = $2 for update
        ), moved as (
            update orders set order_status = $4, payment_status = $5, shipping_status = $6,
                cancel_reason = $7, carrier = $8, tracking_no = $9,
                cancel_requested = cancel_requested and not $10,
                version = version + cardinality($11::text[]),
                updated_at = case when cardinality($11::text[]) > 0 then now() else updated_at end
            where order_id = $1 and version = $3 and exists (select from held where turns = $27)
            returning version
        ), marked as (
            update fulfilments set phase = $14, step = $15, flag = $16, doubt = $25, lapsed = $26, attempts = $17, turns = $28,
                leased = $18,
                due_at = case when $20 then due_at else now() + make_interval(secs => $19) end,
                cancel_reason = case when $10 then null else cancel_reason end,
                payment_id = coalesce($21, payment_id), shipment_id = coalesce($22, shipment_id),
                last_answer = $23, changed_at = now(),
                since = case when phase = $14 and step is not distinct from $15 then since else now() end
            where order_id = $1 and exists (select from moved)
        ), written as (
            insert into order_events (order_id, seq, code, actor, data)
            select $1, $3 + event.place, event.code, event.actor, event.data
            from moved, unnest($11::text[], $12::text[], $13::jsonb[])
                with ordinality as event (code, actor, data, place)
        )
        select exists (select from held) as "held!", (select version from moved) as version,
            case when $24 then set_config('synchronous_commit', 'off', true) end as lazy
        "#,
        before.claim.order_id.0,
        before.claim.epoch,
        before.order.version,
        state.order_status.as_str(),
        state.payment_status.as_str(),
        state.shipping_status.as_str(),
        state.cancel_reason.map(|reason| reason.as_str()),
        state.carrier,
        state.tracking_no,
        mark.cancel_decided,
        &events.codes,
        &events.actors,
        &events.data,
        plan.phase,
        plan.step,
        plan.flag,
        after.attempts,
        leased,
        due_in,
        due_known,
        after.payment_id,
        after.shipment_id,
        mark.last_answer,
        mark.lazy,
        plan.doubt,
        after.lapsed,
        before.turns,
        after.turns,
    )
    .fetch_one(conn)
    .await?;
    Ok(match (row.held, row.version) {
        (true, Some(version)) => Written::Yes(version),
        (true, None) => Written::Changed,
        (false, _) => Written::Superseded,
    })
}

/// `leased`, seconds until due (`None`: never), and whether `due_at` stays as it is.
fn next_columns(next: Next) -> (bool, Option<f64>, bool) {
    match next {
        Next::Now => (true, None, true),
        Next::After(delay) => (false, Some(delay.as_secs_f64()), false),
        Next::Never => (false, None, false),
    }
}
