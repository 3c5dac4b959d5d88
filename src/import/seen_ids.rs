//! The ids seen so far, to find repeated rows. A temporary table holds them, because a set in memory
//! would grow with the files.

use std::collections::{HashMap, HashSet};

use sqlx::PgConnection;

use super::batch::{ImportRow, RowBatch};
use super::error::Error;
use super::progress::ImportStage;

/// Creates the table. It is dropped at the end of the transaction.
pub(super) async fn create_table(conn: &mut PgConnection) -> Result<(), Error> {
    sqlx::query(
        "create temporary table import_seen (
            stage    text   not null,
            id       bigint not null,
            order_id bigint not null,
            line     bigint not null,
            primary key (stage, id)
        ) on commit drop",
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The name of a file in the column `stage` of the table.
pub(super) fn stage_name(stage: ImportStage) -> &'static str {
    match stage {
        ImportStage::Orders => "orders",
        ImportStage::Items => "items",
    }
}

/// Moves rows whose id occurred on an earlier line from `batch.rows` to its violations.
pub(super) async fn reject_repeated<T: ImportRow>(
    conn: &mut PgConnection,
    batch: &mut RowBatch<T>,
) -> Result<(), Error> {
    let lines: Vec<_> = batch.rows.iter().map(|row| db_line(row.line)).collect();
    let first: HashSet<i64> = sqlx::query_scalar(
        "insert into pg_temp.import_seen (stage, id, order_id, line)
         select $1, id, order_id, line
         from unnest($2::bigint[], $3::bigint[], $4::bigint[]) as row (id, order_id, line)
         on conflict do nothing
         returning line",
    )
    .bind(stage_name(T::STAGE))
    .bind(batch.column(T::id))
    .bind(batch.column(T::order_id))
    .bind(lines)
    .fetch_all(&mut *conn)
    .await?
    .into_iter()
    .collect();
    if first.len() == batch.rows.len() {
        return Ok(());
    }

    let (rows, repeated): (Vec<_>, Vec<_>) = std::mem::take(&mut batch.rows)
        .into_iter()
        .partition(|row| first.contains(&db_line(row.line)));
    batch.rows = rows;
    let ids: Vec<_> = repeated.iter().map(|row| row.row.id()).collect();
    let earlier: HashMap<i64, i64> = sqlx::query_as(
        "select id, line from pg_temp.import_seen where stage = $1 and id = any($2)",
    )
    .bind(stage_name(T::STAGE))
    .bind(ids)
    .fetch_all(conn)
    .await?
    .into_iter()
    .collect();
    for row in repeated {
        let id = row.row.id();
        let problem = match earlier.get(&id) {
            Some(line) => format!("is on line {line} already"),
            None => "is there twice".to_owned(),
        };
        batch
            .violations
            .push_field(row.line, T::COLUMNS[0], id, problem);
    }
    Ok(())
}

/// A line number as a `bigint`.
fn db_line(line: u64) -> i64 {
    i64::try_from(line).unwrap_or(i64::MAX)
}
