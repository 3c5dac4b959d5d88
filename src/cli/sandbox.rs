//! The command `order-service sandbox`.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use url::Url;

use crate::config;
use sandbox::{Ports, Sandbox, Settings};

use super::serve::wait_for_stop;
use super::{Environment, Result, init_logs};

/// Ports and pace of the stand-ins; also arguments of `order-service dev`.
#[derive(Clone, Copy, Parser)]
pub struct PortArgs {
    /// Port of the stand-in for UserService
    #[arg(long, default_value_t = 8000)]
    user_port: u16,
    /// Port of the stand-in for Inventory
    #[arg(long, default_value_t = 8002)]
    inventory_port: u16,
    /// Port of the stand-in for Payment
    #[arg(long, default_value_t = 8003)]
    payment_port: u16,
    /// Port of the stand-in for Shipping
    #[arg(long, default_value_t = 8004)]
    shipping_port: u16,
    /// Time between two statuses of a parcel, in milliseconds
    #[arg(long, default_value_t = 4000, value_parser = clap::value_parser!(u64).range(10..))]
    parcel_pace_ms: u64,
}

impl PortArgs {
    /// The ports of the stand-ins.
    pub fn ports(self) -> Ports {
        Ports {
            user: self.user_port,
            inventory: self.inventory_port,
            payment: self.payment_port,
            shipping: self.shipping_port,
        }
    }

    /// The time between two statuses of a parcel.
    pub fn pace(self) -> Duration {
        Duration::from_millis(self.parcel_pace_ms)
    }
}

/// Arguments of `order-service sandbox`.
#[derive(Parser)]
#[command(
    after_help = "Ledgers at GET /sandbox/ledger, fault switches at POST /sandbox/faults, on every port. Tokens are signed with SECRET_KEY."
)]
pub struct SandboxArgs {
    /// Address to listen on
    #[arg(long, default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    host: IpAddr,
    #[command(flatten)]
    ports: PortArgs,
    /// URL of Order Service, which receives parcel updates
    #[arg(long)]
    order_service_url: Option<Url>,
    /// File that keeps the state of the stand-ins between runs
    #[arg(long)]
    state_file: Option<PathBuf>,
}

pub async fn run(args: SandboxArgs, environment: &Environment) -> Result {
    init_logs(environment)?;
    let signing_secret = environment.or_dev().read(|reader| {
        let key = config::token_key(reader);
        if key.is_none() {
            reader.reject("SECRET_KEY", "is needed to sign tokens");
        }
        key
    })?;
    let sandbox = Sandbox::start(Settings {
        host: args.host,
        ports: args.ports.ports(),
        state_file: args.state_file,
        parcel_pace: Some(args.ports.pace()),
        order_service_url: args.order_service_url,
        ..Settings::new(signing_secret)
    })
    .await?;
    let urls = sandbox.urls();
    println!(
        "UserService {}\nInventory   {}\nPayment     {}\nShipping    {}",
        urls.user, urls.inventory, urls.payment, urls.shipping
    );
    wait_for_stop().await?;
    sandbox.stop().await;
    Ok(())
}
