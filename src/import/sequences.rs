//! Moves the sequences behind ids past those that the files brought along.

use sqlx::PgConnection;

use super::Error;

/// Makes the next number that the database gives to `column` larger than `id`.
///
/// A sequence that is further already stays where it is. What was given out in the instant between
/// looking and moving would have been an imported number anyway.
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
