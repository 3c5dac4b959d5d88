//! Claims and leases: which worker may execute a saga. The statement that claims work is [`claim_due`].

use std::time::Duration;

use sqlx::PgConnection;

use crate::db::Error;
use crate::domain::ids::OrderId;
use crate::domain::saga::plan::Plan;
use crate::domain::saga::{Claim, Doubt, Saga};

/// Claims up to `limit` sagas that are due, among them those whose lease has expired: what the previous
/// lease holder sent is in doubt. Rows that another worker has locked are skipped.
#[tracing::instrument(name = "db.fulfilments.claim_due", skip_all)]
pub async fn claim_due(
    conn: &mut PgConnection,
    limit: i64,
    lease: Duration,
) -> Result<Vec<Claim>, Error> {
    let rows = sqlx::query!(
        r#"
        with due as (
            select order_id from fulfilments
            where due_at <= now()
            order by due_at limit $1
            for update skip locked
        )
        update fulfilments f set epoch = f.epoch + 1, leased = true,
            doubt = case when f.leased and f.phase = 'doing' then 'rest' else f.doubt end,
            due_at = now() + make_interval(secs => $2)
        from due where f.order_id = due.order_id
        returning f.order_id, f.epoch
        "#,
        limit,
        lease.as_secs_f64(),
    )
    .fetch_all(conn)
    .await?;
    let claims = rows.into_iter().map(|row| Claim {
        order_id: OrderId(row.order_id),
        epoch: row.epoch,
    });
    Ok(claims.collect())
}

/// Claims one saga that waits for its next run; `None` while another worker holds its lease.
#[tracing::instrument(name = "db.fulfilments.claim_one", skip_all)]
pub async fn claim_one(
    conn: &mut PgConnection,
    order_id: OrderId,
    lease: Duration,
) -> Result<Option<Claim>, Error> {
    let row = sqlx::query!(
        r#"
        update fulfilments set epoch = epoch + 1, leased = true,
            due_at = now() + make_interval(secs => $2)
        where order_id = $1 and not leased and due_at is not null
        returning epoch
        "#,
        order_id.0,
        lease.as_secs_f64(),
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| Claim {
        order_id,
        epoch: row.epoch,
    }))
}

/// Renews the lease of a claim; `false` when the claim is superseded.
#[tracing::instrument(name = "db.fulfilments.renew", skip_all)]
pub async fn renew(conn: &mut PgConnection, claim: Claim, lease: Duration) -> Result<bool, Error> {
    let renewed = sqlx::query!(
        r#"
        update fulfilments set due_at = now() + make_interval(secs => $3)
        where order_id = $1 and epoch = $2 and leased
        "#,
        claim.order_id.0,
        claim.epoch,
        lease.as_secs_f64(),
    )
    .execute(conn)
    .await?;
    Ok(renewed.rows_affected() > 0)
}

/// Makes a saga that waits for its next run due now, a compensated one as well.
#[tracing::instrument(name = "db.fulfilments.hasten", skip_all)]
pub async fn make_due_now(conn: &mut PgConnection, order_id: OrderId) -> Result<(), Error> {
    sqlx::query!(
        r#"
        update fulfilments set due_at = now()
        where order_id = $1 and not leased and (due_at > now() or phase = 'undone')
        "#,
        order_id.0,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Gives the lease of a saga back at a graceful stop, between two steps, so that other replicas need not
/// wait until it expires. The row is put in doubt if the saga is, or if it has lost progress updates.
#[tracing::instrument(name = "db.fulfilments.give_back", skip_all)]
pub async fn release_lease(conn: &mut PgConnection, saga: &Saga) -> Result<(), Error> {
    let is_in_doubt = matches!(
        saga.plan,
        Plan::Doing {
            doubt: Doubt::StepAndLater,
            ..
        }
    );
    sqlx::query!(
        r#"
        update fulfilments set leased = false, due_at = now(),
            doubt = case when phase = 'doing' and ($3 or turns <> $4) then 'rest' else doubt end
        where order_id = $1 and epoch = $2 and leased
        "#,
        saga.claim.order_id.0,
        saga.claim.epoch,
        is_in_doubt,
        saga.turns,
    )
    .execute(conn)
    .await?;
    Ok(())
}
