//! The table `periodic_tasks`: tasks that one replica runs for all. A task is claimed like a saga: with a
//! lease by the database's clock, and an epoch as fencing token.

use std::time::Duration;

use serde_json::Value;
use sqlx::PgConnection;
use time::OffsetDateTime;

use super::Error;

/// The last complete run of a task.
#[derive(Clone, Debug)]
pub struct CompletedTask {
    /// The end of the run.
    pub finished_at: OffsetDateTime,
    /// The result, in the task's own format.
    pub result: Value,
}

/// Claims a task that is due, was last completed more than `every` ago, or whose lease has expired. Returns
/// the epoch; `None` when another replica holds the task, or it is not due.
#[tracing::instrument(name = "db.periodic_tasks.claim", skip_all)]
pub async fn claim(
    conn: &mut PgConnection,
    name: &str,
    every: Duration,
    lease: Duration,
) -> Result<Option<i64>, Error> {
    let epoch = sqlx::query_scalar!(
        r#"
        update periodic_tasks set epoch = epoch + 1, leased = true,
            due_at = now() + make_interval(secs => $3)
        where name = $1 and (due_at <= now()
            or not leased and finished_at <= now() - make_interval(secs => $2))
        returning epoch
        "#,
        name,
        every.as_secs_f64(),
        lease.as_secs_f64(),
    )
    .fetch_optional(conn)
    .await?;
    Ok(epoch)
}

/// Renews a lease; `false` when another replica has claimed the task since.
#[tracing::instrument(name = "db.periodic_tasks.renew", skip_all)]
pub async fn renew(
    conn: &mut PgConnection,
    name: &str,
    epoch: i64,
    lease: Duration,
) -> Result<bool, Error> {
    let renewed = sqlx::query!(
        r#"
        update periodic_tasks set due_at = now() + make_interval(secs => $3)
        where name = $1 and epoch = $2 and leased
        "#,
        name,
        epoch,
        lease.as_secs_f64(),
    )
    .execute(conn)
    .await?;
    Ok(renewed.rows_affected() > 0)
}

/// Releases a claim; the task is due again after `next`. `result` is set after a complete run. Does nothing
/// when another replica has claimed the task since.
#[tracing::instrument(name = "db.periodic_tasks.give_back", skip_all)]
pub async fn release(
    conn: &mut PgConnection,
    name: &str,
    epoch: i64,
    result: Option<&Value>,
    next: Duration,
) -> Result<(), Error> {
    sqlx::query!(
        r#"
        update periodic_tasks set leased = false, due_at = now() + make_interval(secs => $4),
            finished_at = case when $3::jsonb is null then finished_at else now() end,
            result = coalesce($3, result)
        where name = $1 and epoch = $2 and leased
        "#,
        name,
        epoch,
        result,
        next.as_secs_f64(),
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The last complete run of a task; `None` before the first.
#[tracing::instrument(name = "db.periodic_tasks.last", skip_all)]
pub async fn last(conn: &mut PgConnection, name: &str) -> Result<Option<CompletedTask>, Error> {
    let completed = sqlx::query_as!(
        CompletedTask,
        r#"
        select finished_at as "finished_at!", result as "result!" from periodic_tasks
        where name = $1 and finished_at is not null
        "#,
        name,
    )
    .fetch_optional(conn)
    .await?;
    Ok(completed)
}
