//! `order-service healthcheck`.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use crate::config;

use super::{Environment, Result};

pub async fn run(environment: &Environment) -> Result {
    let listen = environment.read(config::listen)?;
    let host = if listen.host.is_unspecified() {
        IpAddr::V4(Ipv4Addr::LOCALHOST)
    } else {
        listen.host
    };
    let url = format!("http://{}/health/ready", SocketAddr::new(host, listen.port));
    let client = reqwest::Client::builder()
        .timeout(Duration::from_secs(3))
        .no_proxy()
        .build()?;
    let status = client.get(&url).send().await?.status();
    if !status.is_success() {
        return Err(format!("{url} answers {status}").into());
    }
    println!("ready");
    Ok(())
}
