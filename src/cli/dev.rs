//! The command `order-service dev`.

use std::path::PathBuf;

use clap::Parser;

use crate::config::dev_folder;
use crate::dev::{self, DevEnvironment};

use super::sandbox::PortArgs;
use super::serve::wait_for_stop;
use super::token::{self, STAFF_ID};
use super::{Environment, Result, init_logs};

/// Lifetime of the printed tokens, in seconds.
const TOKEN_TTL_S: i64 = 86_400;

/// Arguments of `order-service dev`.
#[derive(Parser)]
#[command(
    after_help = "Starts everything: PostgreSQL (an installed one, otherwise a downloaded one; set DATABASE_URL or DB_HOST to use another server), the tables, stand-ins for the peers and for UserService, demo orders, and the service. The folder .dev keeps all data between runs. Ctrl-C stops everything."
)]
pub struct DevArgs {
    /// Delete the orders and the state of the stand-ins first
    #[arg(long)]
    fresh: bool,
    /// Port of the service
    #[arg(long, default_value_t = 8001)]
    port: u16,
    #[command(flatten)]
    sandbox: PortArgs,
    /// Run only the database with its tables; prints one line DATABASE_URL=… and runs until its
    /// input closes or a signal stops it
    #[arg(long)]
    database_only: bool,
}

pub async fn run(args: DevArgs, mut environment: Environment) -> Result {
    environment.fall_back("RUST_LOG", "warn,order_service=info");
    init_logs(&environment)?;
    let folder = dev_folder();
    if args.database_only {
        return database_only(&args, folder, &environment).await;
    }
    let running = DevEnvironment::start(dev::DevSettings {
        folder,
        fresh: args.fresh,
        port: args.port,
        sandbox_ports: args.sandbox.ports(),
        parcel_pace: args.sandbox.pace(),
        environment,
    })
    .await?;
    banner(&running)?;
    wait_for_stop().await?;
    eprintln!("stopping");
    running.stop().await
}

async fn database_only(args: &DevArgs, folder: PathBuf, environment: &Environment) -> Result {
    let database = dev::DevDatabase::start(&folder, args.fresh, environment).await?;
    println!("DATABASE_URL={}", database.url());
    // A thread, because the runtime would wait for a blocking read at shutdown.
    let (closing, closed) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        let ended = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        let _ = closing.send(ended);
    });
    tokio::select! {
        _ = closed => {}
        stopped = wait_for_stop() => stopped?,
    }
    database.stop().await
}

fn banner(running: &DevEnvironment) -> Result {
    let base = running.base_url();
    let customer = token::make(5, false, TOKEN_TTL_S, running.key())?;
    let staff = token::make(STAFF_ID, true, TOKEN_TTL_S, running.key())?;
    let user = running.user_service();
    println!(
        "
Order Service is running; Ctrl-C stops it.

  API       {base}/v1/orders/
  Swagger   {base}/orders-doc/
  History   {base}/v1/orders/my-orders/5/
  Metrics   {base}/metrics
  Ledger    {user}sandbox/ledger   (faults: POST {user}sandbox/faults)

  Token of customer 5:
  {customer}

  Token of staff:
  {staff}

Place an order:

  curl -s -X POST {base}/v1/orders/create/ \\
    -H 'Authorization: Bearer {customer}' \\
    -H 'Content-Type: application/json' \\
    -H 'Idempotency-Key: my-first-order' \\
    -d '{{\"customer_id\": 5, \"items\": [{{\"sku\": \"SKU123\", \"quantity\": 2, \"unit_price\": 100.0}}, \
{{\"sku\": \"SKU456\", \"quantity\": 1, \"unit_price\": 50.0}}]}}'
"
    );
    Ok(())
}
