//! Drops the keys and indexes of empty tables and rebuilds them when the tables are full. This is several times
//! as fast as maintaining them for each row.

use sqlx::{AssertSqlSafe, PgConnection};

use super::error::Error;

/// The keys and indexes that were dropped, as the statements that create them again.
pub struct DroppedIndexes {
    statements: Vec<String>,
}

impl DroppedIndexes {
    /// Drops the keys and indexes of the tables, which must be empty and locked. Truncates the tables, so that COPY
    /// may freeze their rows.
    pub async fn drop_all(conn: &mut PgConnection) -> Result<Self, Error> {
        sqlx::query("truncate orders, order_items, order_events, fulfilments, rare_statuses")
            .execute(&mut *conn)
            .await?;
        let keys: Vec<(String, String, String)> = sqlx::query_as(
            "select conrelid::regclass::text, quote_ident(conname), pg_get_constraintdef(oid)
             from pg_constraint
             where contype in ('f', 'p')
                 and conrelid in ('orders'::regclass, 'order_items'::regclass, 'order_events'::regclass,
                    'fulfilments'::regclass)
             order by contype = 'p', conname",
        )
        .fetch_all(&mut *conn)
        .await?;
        let indexes: Vec<(String, String)> = sqlx::query_as(
            "select indexrelid::regclass::text, pg_get_indexdef(indexrelid)
             from pg_index
             where not indisprimary
                 and indrelid in ('orders'::regclass, 'order_items'::regclass, 'order_events'::regclass,
                    'fulfilments'::regclass)
             order by 1",
        )
        .fetch_all(&mut *conn)
        .await?;
        let mut statements: Vec<String> = Vec::new();
        for (table, key, definition) in &keys {
            run(conn, format!("alter table {table} drop constraint {key}")).await?;
            // Primary keys are dropped last, so they are created first.
            statements.insert(
                0,
                format!("alter table {table} add constraint {key} {definition}"),
            );
        }
        for (index, definition) in indexes {
            run(conn, format!("drop index {index}")).await?;
            statements.push(definition);
        }
        Ok(Self { statements })
    }

    /// Creates the keys and indexes again.
    pub async fn rebuild(self, conn: &mut PgConnection) -> Result<(), Error> {
        sqlx::query("set local maintenance_work_mem = '256MB'")
            .execute(&mut *conn)
            .await?;
        for statement in self.statements {
            run(conn, statement).await?;
        }
        Ok(())
    }
}

/// Moves the sequences past the ids that were written.
pub async fn move_sequences(conn: &mut PgConnection) -> Result<(), Error> {
    sqlx::query(
        "select setval(pg_get_serial_sequence('orders', 'order_id'),
                greatest((select max(order_id) from orders), nextval(pg_get_serial_sequence('orders', 'order_id')))),
            setval(pg_get_serial_sequence('order_items', 'order_item_id'),
                greatest((select max(order_item_id) from order_items),
                    nextval(pg_get_serial_sequence('order_items', 'order_item_id'))))",
    )
    .execute(conn)
    .await?;
    Ok(())
}

#[expect(
    clippy::disallowed_methods,
    reason = "the names and definitions come from the catalogue of the database"
)]
async fn run(conn: &mut PgConnection, statement: String) -> Result<(), Error> {
    sqlx::raw_sql(AssertSqlSafe(statement))
        .execute(conn)
        .await?;
    Ok(())
}
