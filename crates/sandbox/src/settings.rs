//! Settings of the sandbox, and its addresses once it runs.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;
use url::Url;

/// Settings of a sandbox.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Address to listen on.
    pub host: IpAddr,
    /// Port of each stand-in.
    pub ports: Ports,
    /// The HS256 secret that signs tokens; the service must use the same one.
    pub signing_secret: SecretString,
    /// File that keeps the state between runs; without it, every start begins with a new state.
    pub state_file: Option<PathBuf>,
    /// Time between two statuses of a parcel. The first status lasts three times as long, which leaves time
    /// to cancel. With `None`, parcels advance only by
    /// [`advance_parcels`](super::Sandbox::advance_parcels).
    pub parcel_pace: Option<Duration>,
    /// If set, the stand-in reports shipped and delivered parcels to the service with
    /// `PATCH {url}/v1/orders/{id}/update/`. Delivery is best effort: failed updates are dropped.
    pub order_service_url: Option<Url>,
}

impl Settings {
    /// Loopback, default ports, a parcel status every four seconds, no state file.
    pub fn new(signing_secret: SecretString) -> Self {
        Self {
            host: IpAddr::V4(Ipv4Addr::LOCALHOST),
            ports: Ports::default(),
            signing_secret,
            state_file: None,
            parcel_pace: Some(Duration::from_secs(4)),
            order_service_url: None,
        }
    }
}

/// Port of each stand-in; 0 selects a free one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ports {
    /// UserService.
    pub user: u16,
    /// Inventory.
    pub inventory: u16,
    /// Payment.
    pub payment: u16,
    /// Shipping.
    pub shipping: u16,
}

impl Ports {
    /// Four free ports.
    pub const FREE: Self = Self {
        user: 0,
        inventory: 0,
        payment: 0,
        shipping: 0,
    };
}

impl Default for Ports {
    /// The default ports: 8000, 8002, 8003 and 8004.
    fn default() -> Self {
        Self {
            user: 8000,
            inventory: 8002,
            payment: 8003,
            shipping: 8004,
        }
    }
}

/// Base URL of each running stand-in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Urls {
    /// UserService.
    pub user: Url,
    /// Inventory.
    pub inventory: Url,
    /// Payment.
    pub payment: Url,
    /// Shipping.
    pub shipping: Url,
}
