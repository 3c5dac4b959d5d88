//! A shop to try the service in: stand-ins for Inventory, Payment, Shipping and
//! UserService, each a real HTTP server, all over one state held in memory.
//!
//! The stand-ins keep the contract of the real peers, keep ledgers of what they did
//! (`GET /sandbox/ledger`), and can be told to misbehave (`POST /sandbox/faults`, and
//! the [`specials`]), so that a developer can watch the service cope.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::{CancellationToken, DropGuard};

use hub::Hub;
use listener::BoundListener;
use parcel_updates::UpdateSender;
use state_file::StateFile;
use tokens::Tokens;

mod clock;
mod disconnect;
mod hub;
mod error;
mod fault;
mod incoming;
mod inventory;
mod ledger;
mod listener;
mod parcel_updates;
mod operation;
mod pages;
mod payment;
mod table;
mod reply;
mod state_file;
mod settings;
mod shipping;
pub mod specials;
mod switches;
mod tokens;
mod users;
mod wire;
mod state;

pub use error::Error;
pub use fault::{Fault, Kind};
pub use inventory::{Allocation, Line, Reservation, ReservationState, StockRow};
pub use ledger::Ledger;
pub use operation::Operation;
pub use payment::{Charge, ChargeStatus, Refund};
pub use settings::{Ports, Settings, Urls};
pub use shipping::{ParcelStatus, Shipment};

/// How long [`Sandbox::stop`] waits for open connections before it leaves them.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(2);

/// The running stand-ins. Dropping it closes the ports; [`Sandbox::stop`] also waits for
/// that and saves the state.
#[derive(Debug)]
pub struct Sandbox {
    hub: Hub,
    urls: Urls,
    file: Option<StateFile>,
    stop: DropGuard,
    servers: Vec<JoinHandle<()>>,
    tasks: Vec<JoinHandle<()>>,
}

impl Sandbox {
    /// Take the ports, load the saved state if there is one, and start to serve.
    ///
    /// # Errors
    ///
    /// When a port cannot be had (all four are tried before anything starts), when the
    /// state file cannot be read, or when no HTTP client can be built for parcel news.
    pub async fn start(settings: Settings) -> Result<Self, Error> {
        let Settings { host, ports, .. } = settings;
        let user = BoundListener::bind(host, ports.user, "UserService", "user").await?;
        let inventory = BoundListener::bind(host, ports.inventory, "Inventory", "inventory").await?;
        let payment = BoundListener::bind(host, ports.payment, "Payment", "payment").await?;
        let shipping = BoundListener::bind(host, ports.shipping, "Shipping", "shipping").await?;

        let stop = CancellationToken::new();
        let mut tasks = Vec::new();
        let tokens = Tokens::new(&settings.signing_secret);
        let news = match settings.order_service_url {
            Some(url) => {
                let (sender, receiver) = mpsc::channel(parcel_updates::QUEUE_LENGTH);
                let reporter = UpdateSender::new(url, tokens.clone())?;
                tasks.push(tokio::spawn(reporter.run(receiver, stop.clone())));
                Some(sender)
            }
            None => None,
        };
        let file = settings.state_file.map(StateFile::new);
        let state = match &file {
            Some(file) => file.load().await?,
            None => state::SandboxState::new(),
        };
        let hub = Hub::new(state, tokens, news, stop.clone(), file.is_some());
        if let Some(file) = &file {
            tasks.push(tokio::spawn(file.clone().run(hub.clone())));
        }
        if let Some(pace) = settings.parcel_pace {
            tasks.push(tokio::spawn(shipping::run(hub.clone(), pace)));
        }

        let urls = Urls {
            user: user.url().clone(),
            inventory: inventory.url().clone(),
            payment: payment.url().clone(),
            shipping: shipping.url().clone(),
        };
        let servers = vec![
            user.serve(users::routes(), &hub),
            inventory.serve(inventory::routes(), &hub),
            payment.serve(payment::routes(), &hub),
            shipping.serve(shipping::routes(), &hub),
        ];
        Ok(Self {
            hub,
            urls,
            file,
            stop: stop.drop_guard(),
            servers,
            tasks,
        })
    }

    /// Where each stand-in listens, with the port that it was really given.
    pub fn urls(&self) -> &Urls {
        &self.urls
    }

    /// Everything the stand-ins hold and did until now.
    pub fn ledger(&self) -> Ledger {
        self.hub.read(|state| Ledger::of(state, None))
    }

    /// Switch a fault on. One of the same operation and kind is replaced; several others
    /// may be active beside it.
    pub fn set_fault(&self, fault: Fault) {
        self.hub.faults().set(fault);
    }

    /// Wait until nothing is executed any more, late calls included.
    pub async fn wait_until_idle(&self) {
        self.hub.wait_until_idle().await;
    }

    /// Switch all faults off.
    pub fn clear_faults(&self) {
        self.hub.faults().clear();
    }

    /// Move every parcel that is under way by one status, whatever the pace is, and tell
    /// how many moved.
    pub fn advance_parcels(&self) -> usize {
        shipping::advance(&self.hub, |_, _| true)
    }

    /// Move the stand-ins' clock forward: reservations age, tokens do not.
    pub fn advance_clock(&self, by: Duration) {
        self.hub.advance_clock(by);
    }

    /// Close the ports, let go of open connections and save the state.
    pub async fn stop(self) {
        drop(self.stop);
        for server in self.servers {
            let abort = server.abort_handle();
            if timeout(SHUTDOWN_GRACE, server).await.is_err() {
                abort.abort();
            }
        }
        self.hub.wait_until_idle().await;
        for task in self.tasks {
            // A task that panicked has nothing left to wait for.
            let _ = task.await;
        }
        if let Some(file) = self.file {
            file.save(&self.hub).await;
        }
    }
}
