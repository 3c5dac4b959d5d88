//! Typed clients of the peer services that fulfil an order.
//!
//! A client sends each call once and sorts the response into a [`CallOutcome`], by what the saga can do
//! about it. The saga decides about retries. Each peer has a bulkhead, a circuit breaker and a retry
//! budget.

pub mod call;
pub mod inventory;
pub mod outcome;
pub mod payment;
pub mod shipping;

mod already;
mod bulkhead;
mod call_admission;
mod circuit_breaker;
mod error_message;
mod issuer;
mod json;
mod list;
mod one_line;
mod pages;
mod redirect;
mod response;
mod retry_after;
mod round_trip;
mod users;
mod verification;

use std::sync::Arc;

use url::Url;

use call::PeerClient;
pub use call::{CallContext, CallObserver, Error, PeerSettings};
pub use call_admission::PeerLimits;
pub use inventory::{Inventory, ReservationRecord};
pub use issuer::TokenIssuer;
pub use outcome::{CallFailure, CallOutcome, PeerRejection};
pub use pages::{ListedRecord, ListingCursor, ListingPage};
pub use payment::{ChargeReceipt, ChargeRequest, Payment, PaymentRecord, PaymentRecordStatus};
pub use shipping::{CarrierStatus, ShipmentRecord, ShipmentRequest, Shipping};
pub use users::UserService;

/// The clients of the three peers, on one connection pool.
#[derive(Clone)]
pub struct Peers {
    /// The client of InventoryService.
    pub inventory: Inventory,
    /// The client of PaymentService.
    pub payment: Payment,
    /// The client of ShippingService.
    pub shipping: Shipping,
    settings: PeerSettings,
    http: reqwest::Client,
    observer: Arc<dyn CallObserver>,
}

impl Peers {
    /// Builds the clients without connecting.
    ///
    /// Fails if a base URL cannot carry a path, or if no certificate authorities are installed.
    pub fn new(settings: PeerSettings, observer: Arc<dyn CallObserver>) -> Result<Self, Error> {
        let http = call::http_client(&settings)?;
        let peer = |name, base: &Url| client(name, base.clone(), &http, &settings, &observer);
        Ok(Self {
            inventory: Inventory::new(peer("inventory", &settings.inventory)?),
            payment: Payment::new(peer("payment", &settings.payment)?),
            shipping: Shipping::new(peer("shipping", &settings.shipping)?),
            settings,
            http,
            observer,
        })
    }

    /// Builds a client of UserService on the same connection pool. The path of `base` is a prefix of
    /// every call.
    pub fn users(&self, base: Url) -> Result<UserService, Error> {
        let peer = client("user", base, &self.http, &self.settings, &self.observer)?;
        Ok(UserService::new(peer))
    }

    /// Builds a client of the token issuer that publishes its keys at `url`.
    ///
    /// The client has no circuit breaker: the key cache paces its requests itself, and a breaker would delay
    /// the first request after the issuer has recovered.
    pub fn issuer(&self, url: Url) -> Result<TokenIssuer, Error> {
        let mut settings = self.settings.clone();
        settings.timeout = settings.timeout.min(issuer::MAX_TIMEOUT);
        settings.limits.breaker_failures = u32::MAX;
        let mut base = url.clone();
        base.set_query(None);
        base.set_fragment(None);
        let peer = client("issuer", base, &self.http, &settings, &self.observer)?;
        Ok(TokenIssuer::new(peer, url))
    }
}

fn client(
    name: &'static str,
    base: Url,
    http: &reqwest::Client,
    settings: &PeerSettings,
    observer: &Arc<dyn CallObserver>,
) -> Result<PeerClient, Error> {
    PeerClient::new(
        name,
        base,
        http.clone(),
        settings.timeout,
        observer.clone(),
        settings.limits,
    )
}
