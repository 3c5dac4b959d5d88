//! The table `idempotency_keys`: the order that each key's request resulted in.

use std::time::Duration;

use sqlx::PgConnection;

use crate::domain::ids::OrderId;

use super::Error;

/// An idempotency key: a caller's text for one request.
#[derive(Clone, Debug)]
pub struct IdempotencyKey {
    /// The caller, named as in the events.
    pub scope: String,
    /// The operation: `create` or `cancel`.
    pub operation: &'static str,
    /// The caller's text.
    pub key: String,
    /// SHA-256 of the request.
    pub fingerprint: Vec<u8>,
}

/// The request that used a key.
#[derive(Clone, Debug)]
pub struct KeyUse {
    /// SHA-256 of that request.
    pub fingerprint: Vec<u8>,
    /// The order that it placed or cancelled.
    pub order_id: OrderId,
}

/// The earlier use of a key; `None` for a new one.
#[tracing::instrument(name = "db.idempotency.find", skip_all)]
pub async fn find(conn: &mut PgConnection, key: &IdempotencyKey) -> Result<Option<KeyUse>, Error> {
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
    Ok(row.map(|row| KeyUse {
        fingerprint: row.fingerprint,
        order_id: OrderId(row.order_id),
    }))
}

/// Stores a key. Returns `false` if the key exists already.
#[tracing::instrument(name = "db.idempotency.keep", skip_all)]
pub async fn store(
    conn: &mut PgConnection,
    key: &IdempotencyKey,
    order_id: OrderId,
) -> Result<bool, Error> {
    let stored = sqlx::query!(
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
    Ok(stored.rows_affected() > 0)
}

/// Deletes one batch of keys that are older than `older_than`, and returns its size; 0 when none are left.
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
