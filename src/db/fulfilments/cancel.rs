//! Leaving the wish to cancel with whoever drives the fulfilment.

use sqlx::PgConnection;

use crate::db::Error;
use crate::db::events::Columns;
use crate::db::idempotency::IdempotencyKey;
use crate::domain::cancel_reason::CancelReason;
use crate::domain::event::{Actor, OrderEvent};
use crate::domain::order::Order;

/// Asks the holder, or whoever comes next, to call the order off, and keeps the caller's key with the
/// wish, both or none; returns the order as it then is. `None`: it has changed since it was read, its
/// fulfilment takes no such wish any more, or the key was used before.
#[tracing::instrument(name = "db.fulfilments.request_cancel", skip_all)]
pub async fn request_cancel(
    conn: &mut PgConnection,
    order: &Order,
    reason: CancelReason,
    actor: &Actor,
    key: Option<&IdempotencyKey>,
) -> Result<Option<Order>, Error> {
    let events = Columns::new(&[OrderEvent::CancelRequested { reason }], actor);
    let event = sqlx::query!(
        r#"
        with held as (
            select order_id from fulfilments
            where order_id = $1 and cancel_reason is null and phase in ('doing', 'completed')
                and due_at is not null
            for update
        ), unchanged as (
            select order_id from orders
            where order_id = $1 and version = $2 and exists (select from held)
            for update
        ), kept as (
            insert into idempotency_keys (scope, operation, key, fingerprint, order_id)
            select $7, $8, $9, $10, order_id from unchanged where $9::text is not null
            on conflict do nothing
            returning order_id
        ), moved as (
            update orders set cancel_requested = true, version = version + 1, updated_at = now()
            where order_id = $1 and version = $2 and exists (select from unchanged)
                and ($9::text is null or exists (select from kept))
            returning version
        ), marked as (
            update fulfilments set cancel_reason = $3,
                due_at = case when leased then due_at else now() end
            where order_id = $1 and exists (select from moved)
        )
        insert into order_events (order_id, seq, code, actor, data)
        select $1, moved.version, event.code, event.actor, event.data
        from moved, unnest($4::text[], $5::text[], $6::jsonb[]) as event (code, actor, data)
        returning seq, at
        "#,
        order.order_id.0,
        order.version,
        reason.as_str(),
        &events.codes,
        &events.actors,
        &events.data,
        key.map(|key| key.scope.as_str()),
        key.map(|key| key.operation),
        key.map(|key| key.key.as_str()),
        key.map(|key| key.fingerprint.as_slice()),
    )
    .fetch_optional(conn)
    .await?;
    Ok(event.map(|event| Order {
        cancel_requested: true,
        version: event.seq,
        updated_at: event.at,
        ..order.clone()
    }))
}
