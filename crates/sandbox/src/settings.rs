//! What the sandbox is started with, and where it is found once it runs.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;
use url::Url;

/// How a sandbox is set up.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The address to listen on.
    pub host: IpAddr,
    /// The port of each stand-in.
    pub ports: Ports,
    /// The HS256 secret that tokens are signed with; the service must know the same one.
    pub signing_secret: SecretString,
    /// Where the state is kept between runs; without it every start is a fresh state.
    pub state_file: Option<PathBuf>,
    /// The time between two statuses of a parcel (the first lasts three times as long, so
    /// that there is time to cancel). `None`: parcels move only by
    /// [`advance_parcels`](super::Sandbox::advance_parcels).
    pub parcel_pace: Option<Duration>,
    /// When set, orders whose parcel was shipped or delivered are told so with
    /// `PATCH {url}/v1/orders/{id}/update/`. Best effort: what cannot be told is dropped.
    pub order_service_url: Option<Url>,
}

impl Settings {
    /// Loopback, the usual ports, a parcel status every four seconds, nothing kept.
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

/// The port of each stand-in; 0 takes any free one.
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
    /// Any four free ports.
    pub const FREE: Self = Self {
        user: 0,
        inventory: 0,
        payment: 0,
        shipping: 0,
    };
}

impl Default for Ports {
    /// The ports that these services usually have: 8000, 8002, 8003 and 8004.
    fn default() -> Self {
        Self {
            user: 8000,
            inventory: 8002,
            payment: 8003,
            shipping: 8004,
        }
    }
}

/// The base address of each running stand-in.
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
