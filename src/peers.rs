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
mod json;
mod list;
mod pages;
mod reason;
mod redirect;
mod reply;
mod retry_after;

use std::sync::Arc;

pub use answer::{Answer, Refusal, Trouble};
use call::Peer;
pub use call::{Error, Observer, Settings, Tag};
pub use gate::Limits;
pub use inventory::{Inventory, Reservation};
pub use pages::{Cursor, Listed, Page};
pub use payment::{Charge, Charged, Payment, PaymentRecord, PaymentState};
pub use shipping::{Parcel, ParcelStatus, Shipment, Shipping};

/// The three peers, on one connection pool.
#[derive(Clone)]
pub struct Peers {
    /// Holds stock.
    pub inventory: Inventory,
    /// Takes money.
    pub payment: Payment,
    /// Moves parcels.
    pub shipping: Shipping,
}

impl Peers {
    /// Builds the clients; connects nowhere so far.
    ///
    /// Fails when a base URL cannot carry a path or when no certificate authorities are found.
    pub fn new(settings: Settings, observer: Arc<dyn Observer>) -> Result<Self, Error> {
        let client = call::client(&settings)?;
        let peer = |name, base| {
            Peer::new(
                name,
                base,
                client.clone(),
                settings.timeout,
                observer.clone(),
                settings.limits,
            )
        };
        Ok(Self {
            inventory: Inventory::new(peer("inventory", settings.inventory.clone())?),
            payment: Payment::new(peer("payment", settings.payment.clone())?),
            shipping: Shipping::new(peer("shipping", settings.shipping.clone())?),
        })
    }
}
