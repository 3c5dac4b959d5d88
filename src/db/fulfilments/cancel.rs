//! Leaving the wish to cancel with whoever drives the fulfilment.

use sqlx::PgConnection;

use crate::db::Error;
use crate::db::events::Columns;
use crate::domain::event::{Actor, Fact};
use crate::domain::order::{CancelReason, Order};

/// Asks the holder, or whoever comes next, to call the order off. `false`: the order has changed
/// since it was read, or its fulfilment takes no such wish any more.
#[tracing::instrument(name = "db.fulfilments.request_cancel", skip_all)]
pub async fn request_cancel(
    conn: &mut PgConnection,
    order: &Order,
    reason: CancelReason,
    actor: &Actor,
) -> Result<bool, Error> {
    let events = Columns::new(&[Fact::CancelRequested { reason }], actor);
    let written = sqlx::query!(
        r#"
        with held as (
            select order_id from fulfilments
            where order_id = $1 and cancel_reason is null and phase in ('doing', 'completed')
                and due_at is not null
            for update
        ), moved as (
            update orders set cancel_requested = true, version = version + 1, updated_at = now()
            where order_id = $1 and version = $2 and exists (select from held)
            returning version
        ), marked as (
            update fulfilments set cancel_reason = $3,
                due_at = case when leased then due_at else now() end
            where order_id = $1 and exists (select from moved)
        )
        insert into order_events (order_id, seq, code, actor, data)
        select $1, moved.version, event.code, event.actor, event.data
        from moved, unnest($4::text[], $5::text[], $6::jsonb[]) as event (code, actor, data)
        "#,
        order.order_id.0,
        order.version,
        reason.as_str(),
        &events.codes,
        &events.actors,
        &events.data,
    )
    .execute(conn)
    .await?;
    Ok(written.rows_affected() > 0)
}
