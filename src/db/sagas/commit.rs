//! Committing a transition: the saga, the order and its events in one statement.

use std::time::Duration;

use sqlx::PgConnection;

use crate::db::Error;
use crate::db::change::change_order;
use crate::db::events::Columns;
use crate::db::idempotency::IdempotencyKey;
use crate::domain::cancel_reason::CancelReason;
use crate::domain::event::{Actor, OrderEvent};
use crate::domain::order::Order;
use crate::domain::saga::{Durability, NextRun, Saga, Transition};
use crate::domain::status::Status as _;

use super::load::PlanColumns;

/// The result of a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommitResult {
    /// It is committed; this is the order's version now.
    Committed(i32),
    /// The order has changed since it was read, as by a cancel request: read it and decide again.
    Conflict,
    /// Another worker has claimed the saga: stop.
    Superseded,
}

/// Commits a transition if the claim still holds (fencing) and the order is as it was read (optimistic
/// concurrency). `wait` turns a backoff into the time until the next run.
#[tracing::instrument(name = "db.fulfilments.record", skip_all)]
pub async fn commit(
    conn: &mut PgConnection,
    before: &Saga,
    transition: &Transition,
    actor: &Actor,
    wait: Option<Duration>,
) -> Result<CommitResult, Error> {
    let events = Columns::new(&transition.events, actor);
    Ok(
        match write(conn, before, transition, &events, wait).await? {
            (true, Some(version)) => CommitResult::Committed(version),
            (true, None) => CommitResult::Conflict,
            (false, _) => CommitResult::Superseded,
        },
    )
}

/// Whether the claim holds, and the order's new version if the transition was written.
#[expect(
    clippy::cognitive_complexity,
    reason = "the lint counts the binds of the statement; the function has no branches"
)]
async fn write(
    conn: &mut PgConnection,
    before: &Saga,
    transition: &Transition,
    events: &Columns,
    wait: Option<Duration>,
) -> Result<(bool, Option<i32>), Error> {
    let after = &transition.saga;
    let plan = PlanColumns::of(after.plan);
    let goes_on = transition.next_run == NextRun::Now;
    let state = &after.order.state;
    let row = change_order!(
        guard: "claimed as (
                select turns from fulfilments where order_id = $1 and epoch = $6 for update
            ), guard as (select from claimed where turns = $7)",
        set: "order_status = $8, payment_status = $9, shipping_status = $10, cancel_reason = $11,
            carrier = $12, tracking_no = $13, cancel_requested = cancel_requested and not $14,",
        saga: ", saga as (
                update fulfilments set phase = $15, step = $16, flag = $17, doubt = $18, lapsed = $19,
                    attempts = $20, turns = $21, leased = $22,
                    due_at = case when $22 then due_at else now() + make_interval(secs => $23) end,
                    cancel_reason = case when $14 then null else cancel_reason end,
                    payment_id = coalesce($24, payment_id), shipment_id = coalesce($25, shipment_id),
                    last_answer = $26, changed_at = now(),
                    since = case when phase = $15 and step is not distinct from $16 then since else now() end
                where order_id = $1 and exists (select from changed)
            )",
        select: r#"
            select exists (select from claimed) as "claimed!", (select version from changed) as version,
                case when $27 then set_config('synchronous_commit', 'off', true) end as asynchronous
            "#,
        before.claim.order_id.0,
        before.order.version,
        events,
        before.claim.epoch,
        before.turns,
        state.order_status.as_str(),
        state.payment_status.as_str(),
        state.shipping_status.as_str(),
        state.cancel_reason.map(|reason| reason.as_str()),
        state.carrier,
        state.tracking_no,
        transition.cancel_decided,
        plan.phase,
        plan.step,
        plan.flag,
        plan.doubt,
        after.lapsed,
        after.attempts,
        after.turns,
        goes_on,
        wait.map(|wait| wait.as_secs_f64()),
        after.payment_id,
        after.shipment_id,
        transition.last_answer,
        transition.durability == Durability::Asynchronous,
    )
    .fetch_one(conn)
    .await?;
    Ok((row.claimed, row.version))
}

/// Leaves a cancel request with the saga, and stores the caller's idempotency key in the same statement;
/// returns the order afterwards. `None`: the order has changed since it was read, its saga accepts no
/// cancel request any more, or the key was used before.
#[tracing::instrument(name = "db.fulfilments.request_cancel", skip_all)]
pub async fn request_cancel(
    conn: &mut PgConnection,
    order: &Order,
    reason: CancelReason,
    actor: &Actor,
    key: Option<&IdempotencyKey>,
) -> Result<Option<Order>, Error> {
    let events = Columns::new(&[OrderEvent::CancelRequested { reason }], actor);
    let row = change_order!(
        guard: "claimed as (
                select order_id from fulfilments
                where order_id = $1 and cancel_reason is null and phase in ('doing', 'completed')
                    and due_at is not null
                for update
            ), unchanged as (
                select order_id from orders
                where order_id = $1 and version = $2 and exists (select from claimed)
                for update
            ), key as (
                insert into idempotency_keys (scope, operation, key, fingerprint, order_id)
                select $7, $8, $9, $10, order_id from unchanged where $9::text is not null
                on conflict do nothing
                returning order_id
            ), guard as (
                select from unchanged where $9::text is null or exists (select from key)
            )",
        set: "cancel_requested = true,",
        saga: ", saga as (
                update fulfilments set cancel_reason = $6,
                    due_at = case when leased then due_at else now() end
                where order_id = $1 and exists (select from changed)
            )",
        select: "select version, updated_at from changed",
        order.order_id.0,
        order.version,
        events,
        reason.as_str(),
        key.map(|key| key.scope.as_str()),
        key.map(|key| key.operation),
        key.map(|key| key.key.as_str()),
        key.map(|key| key.fingerprint.as_slice()),
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| Order {
        cancel_requested: true,
        version: row.version,
        updated_at: row.updated_at,
        ..order.clone()
    }))
}
