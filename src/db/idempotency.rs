//! The table `idempotency_keys`: which order a caller's key stands for.

use std::time::Duration;

use sqlx::PgConnection;

use crate::domain::ids::OrderId;

use super::Error;

/// A caller's key for one operation.
#[derive(Clone, Debug)]
pub struct Key {
    /// The caller, as in the events.
    pub scope: String,
    /// What is asked for: `create` or `cancel`.
    pub operation: &'static str,
    /// The caller's own text.
    pub key: String,
    /// SHA-256 of what was asked.
    pub fingerprint: Vec<u8>,
}

/// What a key was used for.
#[derive(Clone, Debug)]
pub struct Use {
    /// SHA-256 of what was asked then.
    pub fingerprint: Vec<u8>,
    /// The order that came of it.
    pub order_id: OrderId,
}

/// What `key` was used for, if it was.
#[tracing::instrument(name = "db.idempotency.find", skip_all)]
pub async fn find(conn: &mut PgConnection, key: &Key) -> Result<Option<Use>, Error> {
    let row = sqlx::query!(
        r#"
        select fingerprint, order_id from idempotency_keys
        where scope = $1 and operation = $2 and key = $3
        "#,
        key.scope,
        key.operation,
        key.key,
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| Use {
        fingerprint: row.fingerprint,
        order_id: OrderId(row.order_id),
    }))
}

/// Keeps a key, unless it is kept already; whether it is new.
#[tracing::instrument(name = "db.idempotency.keep", skip_all)]
pub async fn keep(conn: &mut PgConnection, key: &Key, order_id: OrderId) -> Result<bool, Error> {
    let kept = sqlx::query!(
        r#"
        insert into idempotency_keys (scope, operation, key, fingerprint, order_id)
        values ($1, $2, $3, $4, $5)
        on conflict do nothing
        "#,
        key.scope,
        key.operation,
        key.key,
        key.fingerprint,
        order_id.0,
    )
    .execute(conn)
    .await?;
    Ok(kept.rows_affected() > 0)
}

/// Forgets keys that are older than this; returns how many. A few thousand at a time, so that no
/// statement takes long.
#[tracing::instrument(name = "db.idempotency.purge", skip_all)]
pub async fn purge(conn: &mut PgConnection, older_than: Duration) -> Result<u64, Error> {
    let purged = sqlx::query!(
        r#"
        delete from idempotency_keys where (scope, operation, key) in (
            select scope, operation, key from idempotency_keys
            where created_at < now() - make_interval(secs => $1)
            order by created_at limit 5000
        )
        "#,
        older_than.as_secs_f64(),
    )
    .execute(conn)
    .await?;
    Ok(purged.rows_affected())
}
