//! The services that fulfil an order: typed clients that sort every reply into what the saga can
//! do about it. A call is sent once; asking again is the saga's business.

pub mod answer;
pub mod call;
pub mod inventory;
pub mod payment;
pub mod shipping;

mod already;
mod breaker;
mod echo;
mod exchange;
mod gate;
mod issuer;
mod json;
mod list;
mod pages;
mod reason;
mod redirect;
mod reply;
mod retry_after;
mod users;

use std::sync::Arc;

use url::Url;

pub use answer::{CallFailure, CallOutcome, PeerRejection};
use call::Peer;
pub use call::{CallContext, Error, Observer, Settings};
pub use gate::Limits;
pub use inventory::{Inventory, ReservationRecord};
pub use issuer::Issuer;
pub use pages::{ListedRecord, ListingCursor, ListingPage};
pub use payment::{ChargeReceipt, ChargeRequest, Payment, PaymentRecord, PaymentRecordStatus};
pub use shipping::{CarrierStatus, ShipmentRecord, ShipmentRequest, Shipping};
pub use users::Users;

/// The three peers, on one connection pool.
#[derive(Clone)]
pub struct Peers {
    /// Holds stock.
    pub inventory: Inventory,
    /// Takes money.
    pub payment: Payment,
    /// Moves parcels.
    pub shipping: Shipping,
    settings: Settings,
    client: reqwest::Client,
    observer: Arc<dyn Observer>,
}

impl Peers {
    /// Builds the clients; connects nowhere so far.
    ///
    /// Fails when a base URL cannot carry a path or when no certificate authorities are found.
    pub fn new(settings: Settings, observer: Arc<dyn Observer>) -> Result<Self, Error> {
        let client = call::client(&settings)?;
        let peer = |name, base: &Url| peer(name, base.clone(), &client, &settings, &observer);
        Ok(Self {
            inventory: Inventory::new(peer("inventory", &settings.inventory)?),
            payment: Payment::new(peer("payment", &settings.payment)?),
            shipping: Shipping::new(peer("shipping", &settings.shipping)?),
            settings,
            client,
            observer,
        })
    }

    /// A client of UserService, on the same connections; a path of `base` is a prefix of every call.
    pub fn users(&self, base: Url) -> Result<Users, Error> {
        let peer = peer("user", base, &self.client, &self.settings, &self.observer)?;
        Ok(Users::new(peer))
    }

    /// A client of whoever publishes the keys of tokens at `url`.
    ///
    /// It has no breaker: who asks for keys paces that by themselves, and needs to know when they are back.
    pub fn issuer(&self, url: Url) -> Result<Issuer, Error> {
        let mut settings = self.settings.clone();
        settings.timeout = settings.timeout.min(issuer::TIMEOUT);
        settings.limits.breaker_failures = u32::MAX;
        let mut base = url.clone();
        base.set_query(None);
        base.set_fragment(None);
        let peer = peer("issuer", base, &self.client, &settings, &self.observer)?;
        Ok(Issuer::new(peer, url))
    }
}

fn peer(
    name: &'static str,
    base: Url,
    client: &reqwest::Client,
    settings: &Settings,
    observer: &Arc<dyn Observer>,
) -> Result<Peer, Error> {
    Peer::new(
        name,
        base,
        client.clone(),
        settings.timeout,
        observer.clone(),
        settings.limits,
    )
}
