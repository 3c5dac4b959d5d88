//! How many fulfilments are open or stuck, and for how long: what an operator watches.

use sqlx::PgConnection;

use crate::db::Error;

/// Open fulfilments of one phase, by how long ago the order was placed.
#[derive(Clone, Debug)]
pub struct OpenCounts {
    /// `doing`, `recalling`, `undoing` or `stuck`.
    pub phase: String,
    /// Placed within the last minute.
    pub under_1m: i64,
    /// Placed between a minute and a quarter of an hour ago.
    pub under_15m: i64,
    /// Placed between a quarter of an hour and a day ago.
    pub under_1d: i64,
    /// Placed a day ago or earlier.
    pub older: i64,
}

/// Counts what is open; a scan of a small partial index.
#[tracing::instrument(name = "db.fulfilments.count_open", skip_all)]
pub async fn count_open(conn: &mut PgConnection) -> Result<Vec<OpenCounts>, Error> {
    let counts = sqlx::query_as!(
        OpenCounts,
        r#"
        select phase,
            count(*) filter (where opened_at > now() - interval '1 minute') as "under_1m!",
            count(*) filter (where opened_at <= now() - interval '1 minute'
                and opened_at > now() - interval '15 minutes') as "under_15m!",
            count(*) filter (where opened_at <= now() - interval '15 minutes'
                and opened_at > now() - interval '1 day') as "under_1d!",
            count(*) filter (where opened_at <= now() - interval '1 day') as "older!"
        from fulfilments
        where phase in ('doing', 'recalling', 'undoing', 'stuck')
        group by phase
        "#,
    )
    .fetch_all(conn)
    .await?;
    Ok(counts)
}
