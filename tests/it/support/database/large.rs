//! The database with many orders, made once and kept beside the template.

use order_service::domain::money::Currency;
use order_service::generate::{GenerateOptions, generate};
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection};
use time::macros::datetime;

use super::{TEMPLATE_LOCK, run, template_name};

/// Makes it if it is missing: under another name, renamed when it is complete.
pub async fn prepare(server: PgConnectOptions, orders: u64) -> PgConnectOptions {
    let template = template_name();
    let name = format!("large_{template}_{orders}");
    let mut admin = server.connect().await.unwrap();
    sqlx::query("select pg_advisory_lock($1)")
        .bind(TEMPLATE_LOCK)
        .execute(&mut admin)
        .await
        .unwrap();
    let exists: bool =
        sqlx::query_scalar("select exists (select from pg_database where datname = $1)")
            .bind(&name)
            .fetch_one(&mut admin)
            .await
            .unwrap();
    let options = server.database(&name);
    if !exists {
        let unfinished = format!("unfinished_{name}");
        run(
            &mut admin,
            format!("drop database if exists {unfinished} with (force)"),
        )
        .await;
        run(
            &mut admin,
            format!("create database {unfinished} template {template}"),
        )
        .await;
        let mut connection = options
            .clone()
            .database(&unfinished)
            .connect()
            .await
            .unwrap();
        let made = GenerateOptions {
            orders,
            customers: orders / 8,
            seed: 1,
            until: datetime!(2026-11-22 00:00 UTC),
            currency: Currency::from_code("USD").unwrap(),
            add: false,
        };
        generate(&mut connection, made, &mut |_| {}).await.unwrap();
        connection.close().await.unwrap();
        run(
            &mut admin,
            format!("alter database {unfinished} rename to {name}"),
        )
        .await;
    }
    // Closing the connection releases the lock.
    admin.close().await.unwrap();
    options
}
