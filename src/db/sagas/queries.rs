//! What staff and operators see of sagas: those that need attention, their status, their counts.

use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::db::Error;
use crate::domain::ids::OrderId;
use crate::domain::saga::Phase;
use crate::domain::step::Step;

use super::load::{phase, step};

/// The status of an order's saga, for staff.
#[derive(Clone, Debug)]
pub struct SagaStatus {
    /// The order.
    pub order_id: i64,
    /// Its customer.
    pub customer_id: i64,
    /// The identity from which the keys of its calls derive.
    pub identity: Uuid,
    /// The phase.
    pub phase: Phase,
    /// The current step, in phases that have one.
    pub step: Option<Step>,
    /// Since when it is at this step.
    pub since: OffsetDateTime,
    /// Consecutive attempts without a definite answer.
    pub attempts: i32,
    /// The peer's last message.
    pub last_answer: Option<String>,
    /// When it runs again by itself.
    pub due_at: Option<OffsetDateTime>,
}

struct StatusRow {
    order_id: i64,
    customer_id: i64,
    identity: Uuid,
    phase: String,
    step: Option<String>,
    since: OffsetDateTime,
    attempts: i32,
    last_answer: Option<String>,
    due_at: Option<OffsetDateTime>,
}

impl StatusRow {
    fn read(self) -> Result<SagaStatus, Error> {
        Ok(SagaStatus {
            order_id: self.order_id,
            customer_id: self.customer_id,
            identity: self.identity,
            phase: phase(&self.phase, self.order_id)?,
            step: step(self.step.as_deref(), self.order_id)?,
            since: self.since,
            attempts: self.attempts,
            last_answer: self.last_answer,
            due_at: self.due_at,
        })
    }
}

/// Selects sagas with their orders; the rest of the query begins with its condition.
macro_rules! statuses {
    ($rest:literal, $($bind:expr),*) => {
        sqlx::query_as!(
            StatusRow,
            r#"
            select f.order_id, o.customer_id, f.identity, f.phase, f.step, f.since, f.attempts,
                f.last_answer, f.due_at
            from fulfilments f
            join orders o on o.order_id = f.order_id
            "#
                + $rest,
            $($bind),*
        )
    };
}

/// The sagas that are stuck, and those that have been at one step for longer than `patience_s` seconds;
/// longest first.
#[tracing::instrument(name = "db.fulfilments.needing_attention", skip_all)]
pub async fn needing_attention(
    conn: &mut PgConnection,
    patience_s: f64,
    limit: i64,
) -> Result<Vec<SagaStatus>, Error> {
    let rows = statuses!(
        "where f.phase in ('doing', 'recalling', 'undoing', 'stuck')
            and (f.phase = 'stuck' or f.since < now() - make_interval(secs => $1))
        order by f.since
        limit $2",
        patience_s,
        limit
    );
    let rows = rows.fetch_all(conn).await?;
    rows.into_iter().map(StatusRow::read).collect()
}

/// The status of an order's saga; `None` when the order has none.
#[tracing::instrument(name = "db.fulfilments.standing_of", skip_all)]
pub async fn status_of(
    conn: &mut PgConnection,
    order_id: OrderId,
) -> Result<Option<SagaStatus>, Error> {
    let row = statuses!("where f.order_id = $1", order_id.0);
    let row = row.fetch_optional(conn).await?;
    row.map(StatusRow::read).transpose()
}

/// How many sagas of one phase are open, by the time they have been at their step.
#[derive(Clone, Debug)]
pub struct OpenCounts {
    /// A phase that is open.
    pub phase: Phase,
    /// Less than a minute.
    pub under_1m: i64,
    /// One to fifteen minutes.
    pub under_15m: i64,
    /// Fifteen minutes to a day.
    pub under_1d: i64,
    /// A day or longer.
    pub older: i64,
}

/// Counts the open sagas by a scan of a small partial index.
#[tracing::instrument(name = "db.fulfilments.count_open", skip_all)]
pub async fn count_open(conn: &mut PgConnection) -> Result<Vec<OpenCounts>, Error> {
    let rows = sqlx::query!(
        r#"
        select phase,
            count(*) filter (where since > now() - interval '1 minute') as "under_1m!",
            count(*) filter (where since <= now() - interval '1 minute'
                and since > now() - interval '15 minutes') as "under_15m!",
            count(*) filter (where since <= now() - interval '15 minutes'
                and since > now() - interval '1 day') as "under_1d!",
            count(*) filter (where since <= now() - interval '1 day') as "older!"
        from fulfilments
        where phase in ('doing', 'recalling', 'undoing', 'stuck')
        group by phase
        "#,
    )
    .fetch_all(conn)
    .await?;
    let counts = rows.into_iter().filter_map(|row| {
        Some(OpenCounts {
            phase: Phase::from_name(&row.phase)?,
            under_1m: row.under_1m,
            under_15m: row.under_15m,
            under_1d: row.under_1d,
            older: row.older,
        })
    });
    Ok(counts.collect())
}

/// For how many seconds the saga that has been due longest waits for a worker; 0 if none is due. Reads
/// one entry of an index.
#[tracing::instrument(name = "db.fulfilments.due_lag", skip_all)]
pub async fn due_lag(conn: &mut PgConnection) -> Result<i64, Error> {
    let lag = sqlx::query_scalar!(
        r#"
        select coalesce(extract(epoch from now() - min(due_at)), 0)::bigint as "lag!"
        from fulfilments
        where due_at <= now()
        "#,
    )
    .fetch_one(conn)
    .await?;
    Ok(lag)
}
