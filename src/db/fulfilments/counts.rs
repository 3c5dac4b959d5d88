//! How many fulfilments are open or stuck, for how long, and whether they are claimed when they are
//! due: what an operator watches.

use sqlx::PgConnection;

use crate::db::Error;

/// Open fulfilments of one phase, by how long they have stood where they stand.
#[derive(Clone, Debug)]
pub struct OpenCounts {
    /// `doing`, `recalling`, `undoing` or `stuck`.
    pub phase: String,
    /// Less than a minute.
    pub under_1m: i64,
    /// A minute to a quarter of an hour.
    pub under_15m: i64,
    /// A quarter of an hour to a day.
    pub under_1d: i64,
    /// A day or longer.
    pub older: i64,
}

/// Counts what is open; a scan of a small partial index.
#[tracing::instrument(name = "db.fulfilments.count_open", skip_all)]
pub async fn count_open(conn: &mut PgConnection) -> Result<Vec<OpenCounts>, Error> {
    let counts = sqlx::query_as!(
        OpenCounts,
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
    Ok(counts)
}

/// For how many seconds the fulfilment that has been due longest waits to be claimed; 0 if none is
/// due. Reads one entry of an index.
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
