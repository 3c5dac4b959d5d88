//! The table `periodic_tasks`: what one replica does for all of them now and then. It is claimed as
//! fulfilments are: by a lease, by the database's clock, with an epoch that rises.

use std::time::Duration;

use serde_json::Value;
use sqlx::PgConnection;
use time::OffsetDateTime;

use super::Error;

/// What came of a task when it was last done to its end.
#[derive(Clone, Debug)]
pub struct Done {
    /// When.
    pub finished_at: OffsetDateTime,
    /// What came of it, in the task's own form.
    pub result: Value,
}

/// Claims a task that is due, or has not been finished for `every`, or whose holder let the lease run
/// out. `None`: it is somebody else's, or it is too early.
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

/// Lets a claim's lease start anew; `false` when it has been superseded.
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

/// Gives a claim back, with what came of the task if it was done to its end, to be done again after
/// `next`. Does nothing when it has been superseded.
#[tracing::instrument(name = "db.periodic_tasks.give_back", skip_all)]
pub async fn give_back(
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

/// What came of a task when it was last done to its end; `None`: it never was.
#[tracing::instrument(name = "db.periodic_tasks.last", skip_all)]
pub async fn last(conn: &mut PgConnection, name: &str) -> Result<Option<Done>, Error> {
    let done = sqlx::query_as!(
        Done,
        r#"
        select finished_at as "finished_at!", result as "result!" from periodic_tasks
        where name = $1 and finished_at is not null
        "#,
        name,
    )
    .fetch_optional(conn)
    .await?;
    Ok(done)
}
