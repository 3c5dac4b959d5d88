//! `order-service migrate`.

use sqlx::migrate::Migrate as _;
use sqlx::{Connection as _, PgConnection};

use crate::{config, db};

use super::{Environment, Result};

pub async fn run(environment: &Environment) -> Result {
    let options = environment.or_dev().read(config::database)?;
    let mut conn = PgConnection::connect_with(&options)
        .await
        .map_err(|error| format!("cannot connect to the database: {error}"))?;
    db::MIGRATIONS.run(&mut conn).await?;
    let applied = conn
        .list_applied_migrations(&db::MIGRATIONS.table_name)
        .await?
        .len();
    println!("the tables are up to date ({applied} migrations)");
    Ok(())
}
