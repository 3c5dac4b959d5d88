//! Applies one migration.

use std::time::{Duration, Instant};

use sqlx::migrate::{Migrate as _, Migration};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};

use super::error::cause;
use super::lock::LockRetries;
use super::{MigrationError, MigrationPolicy, MigrationProgress, Mode, TABLE};

/// Applies a migration, however long its locks take within the policy, and records it.
pub(super) async fn apply(
    conn: &mut PgConnection,
    migration: &Migration,
    policy: MigrationPolicy,
    report: &mut (dyn FnMut(MigrationProgress<'_>) + Send),
) -> Result<(), MigrationError> {
    let began = Instant::now();
    let version = migration.version;
    report(MigrationProgress::Started {
        version,
        description: &migration.description,
    });
    let mode = Mode::of(migration);
    limit_lock_waits(conn, mode, policy.lock_timeout).await?;
    match mode {
        Mode::Transaction(_) | Mode::Statement | Mode::Concurrent => {
            let mut retries = LockRetries::new(version, policy);
            while let Err(error) = attempt(conn, migration, mode).await {
                // Sends the rollback that sqlx has queued, so that no transaction stays open meanwhile.
                let _ = conn.ping().await;
                retries.after(error, report).await?;
                let lock_timeout = retries.lock_timeout(conn).await?;
                limit_lock_waits(conn, mode, lock_timeout).await?;
            }
        }
        Mode::ConcurrentIndex(index) => build_index(conn, migration, index, policy, report).await?,
        Mode::Batches => backfill(conn, migration, policy, report).await?,
    }
    report(MigrationProgress::Applied {
        version,
        took: began.elapsed(),
    });
    Ok(())
}

/// Applies a file once. The tables that it names are locked before its first statement, so that an attempt
/// that gets no lock loses no work.
async fn attempt(
    conn: &mut PgConnection,
    migration: &Migration,
    mode: Mode<'_>,
) -> Result<(), sqlx::Error> {
    let Mode::Transaction(Some(tables)) = mode else {
        return conn
            .apply(TABLE, migration)
            .await
            .map(|_| ())
            .map_err(cause);
    };
    let mut transaction = conn.begin().await?;
    lock_tables(&mut transaction, tables).await?;
    transaction.apply(TABLE, migration).await.map_err(cause)?;
    transaction.commit().await
}

#[expect(
    clippy::disallowed_methods,
    reason = "names cannot be bound; these are part of a migration file"
)]
async fn lock_tables(conn: &mut PgConnection, tables: &str) -> Result<(), sqlx::Error> {
    let sql = AssertSqlSafe(format!("lock table {tables} in access exclusive mode"));
    conn.execute(sql).await?;
    Ok(())
}

/// Sets the time limits of the session. Concurrent statements wait for locks without one: the requests of the
/// service do not queue behind theirs, and a build that gave up would start from the beginning.
async fn limit_lock_waits(
    conn: &mut PgConnection,
    mode: Mode<'_>,
    lock_timeout: Duration,
) -> Result<(), MigrationError> {
    let lock_timeout = match mode {
        Mode::ConcurrentIndex(_) | Mode::Concurrent => Duration::ZERO,
        _ => lock_timeout,
    };
    sqlx::query(
        "select set_config('lock_timeout', $1, false), set_config('statement_timeout', '0', false)",
    )
    .bind(format!("{}ms", lock_timeout.as_millis()))
    .execute(conn)
    .await?;
    Ok(())
}

/// Builds an index. A failed build leaves an invalid index behind, which is dropped first; a valid one was
/// built by a run that ended before it could record that.
async fn build_index(
    conn: &mut PgConnection,
    migration: &Migration,
    index: &str,
    policy: MigrationPolicy,
    report: &mut (dyn FnMut(MigrationProgress<'_>) + Send),
) -> Result<(), MigrationError> {
    let version = migration.version;
    let mut retries = LockRetries::new(version, policy);
    loop {
        let result = match is_valid(conn, index).await? {
            Some(true) => return Ok(conn.skip(TABLE, migration).await?),
            Some(false) => {
                report(MigrationProgress::DroppingIndex(index));
                drop_index(conn, index).await
            }
            None => match conn.apply(TABLE, migration).await {
                Ok(_) => return Ok(()),
                Err(error) => Err(cause(error)),
            },
        };
        if let Err(error) = result {
            retries.after(error, report).await?;
        }
    }
}

/// Whether an index is valid; `None` if there is no such index.
async fn is_valid(conn: &mut PgConnection, index: &str) -> Result<Option<bool>, MigrationError> {
    let valid = sqlx::query_scalar(
        "select indisvalid from pg_index where indexrelid = to_regclass($1)::oid",
    )
    .bind(index)
    .fetch_optional(conn)
    .await?;
    Ok(valid)
}

#[expect(
    clippy::disallowed_methods,
    reason = "a name cannot be bound; this one is part of a migration file"
)]
async fn drop_index(conn: &mut PgConnection, index: &str) -> Result<(), sqlx::Error> {
    let sql = AssertSqlSafe(format!("drop index concurrently if exists {index}"));
    conn.execute(sql).await?;
    Ok(())
}

/// Repeats a statement until it changes no rows. Each batch is committed on its own.
async fn backfill(
    conn: &mut PgConnection,
    migration: &Migration,
    policy: MigrationPolicy,
    report: &mut (dyn FnMut(MigrationProgress<'_>) + Send),
) -> Result<(), MigrationError> {
    let version = migration.version;
    let (mut batches, mut rows) = (0, 0);
    let mut retries = LockRetries::new(version, policy);
    loop {
        match conn.execute(migration.sql.clone()).await {
            Ok(result) if result.rows_affected() == 0 => break,
            Ok(result) => {
                batches += 1;
                rows += result.rows_affected();
                report(MigrationProgress::Batch {
                    version,
                    batches,
                    rows,
                });
                retries = LockRetries::new(version, policy);
            }
            Err(error) => retries.after(error, report).await?,
        }
    }
    conn.skip(TABLE, migration).await?;
    Ok(())
}
