//! Moves the sequences of the id columns past the imported ids.

use sqlx::PgConnection;

use super::error::Error;

/// Makes the next value of the sequence of `column` larger than `id`.
///
/// A sequence beyond `id` stays unchanged. A value drawn between the check and `setval` is an
/// imported id anyway.
pub(super) async fn move_past(
    conn: &mut PgConnection,
    table: &'static str,
    column: &'static str,
    id: i64,
) -> Result<(), Error> {
    sqlx::query(
        "select setval(pg_get_serial_sequence($1, $2), $3)
         from pg_sequences
         where format('%I.%I', schemaname, sequencename) = pg_get_serial_sequence($1, $2)
         and coalesce(last_value, 0) < $3",
    )
    .bind(table)
    .bind(column)
    .bind(id)
    .execute(conn)
    .await?;
    Ok(())
}
