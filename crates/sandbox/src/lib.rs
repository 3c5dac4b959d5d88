//! Stand-ins for Inventory, Payment, Shipping and UserService: four HTTP servers over one state in memory.
//!
//! The stand-ins follow the contracts of the real peers and keep a ledger of what they executed
//! (`GET /sandbox/ledger`). Faults (`POST /sandbox/faults`) and the [`specials`] make them fail on purpose,
//! which shows how the service handles the failure.

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
mod error;
mod fault;
mod hub;
mod incoming;
mod inventory;
mod ledger;
mod listener;
mod operation;
mod pages;
mod parcel_updates;
mod payment;
mod reply;
mod settings;
mod shipping;
pub mod specials;
mod state;
mod state_file;
mod switches;
mod table;
mod tokens;
mod users;
mod wire;

pub use error::Error;
pub use fault::{Fault, Kind};
pub use inventory::{Allocation, Line, Reservation, ReservationState, StockRow};
pub use ledger::Ledger;
pub use operation::Operation;
pub use payment::{Charge, ChargeStatus, Refund};
pub use settings::{Ports, Settings, Urls};
pub use shipping::{ParcelStatus, Shipment};

/// How long [`Sandbox::stop`] waits for open connections.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(2);

/// The running stand-ins. Dropping it closes the ports; [`Sandbox::stop`] also waits for the servers and
/// saves the state.
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
    /// Binds the ports, loads the saved state and starts to serve.
    ///
    /// # Errors
    ///
    /// A port is taken (all four are bound before any is served), the state file is unreadable, or the HTTP
    /// client for parcel updates cannot be built.
    pub async fn start(settings: Settings) -> Result<Self, Error> {
        let Settings { host, ports, .. } = settings;
        let user = BoundListener::bind(host, ports.user, "UserService", "user").await?;
        let inventory =
            BoundListener::bind(host, ports.inventory, "Inventory", "inventory").await?;
        let payment = BoundListener::bind(host, ports.payment, "Payment", "payment").await?;
        let shipping = BoundListener::bind(host, ports.shipping, "Shipping", "shipping").await?;

        let stop = CancellationToken::new();
        let mut tasks = Vec::new();
        let tokens = Tokens::new(&settings.signing_secret);
        let updates = match settings.order_service_url {
            Some(url) => {
                let (sender, receiver) = mpsc::channel(parcel_updates::QUEUE_LENGTH);
                let update_sender = UpdateSender::new(url, tokens.clone())?;
                tasks.push(tokio::spawn(update_sender.run(receiver, stop.clone())));
                Some(sender)
            }
            None => None,
        };
        let file = settings.state_file.map(StateFile::new);
        let state = match &file {
            Some(file) => file.load().await?,
            None => state::SandboxState::new(),
        };
        let hub = Hub::new(state, tokens, updates, stop.clone(), file.is_some());
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

    /// The URL of each stand-in, with the port that it actually got.
    pub fn urls(&self) -> &Urls {
        &self.urls
    }

    /// The current ledger.
    pub fn ledger(&self) -> Ledger {
        self.hub.read(|state| Ledger::of(state, None))
    }

    /// Activates a fault. It replaces an active fault of the same operation and kind, and combines with
    /// others.
    pub fn set_fault(&self, fault: Fault) {
        self.hub.faults().set(fault);
    }

    /// Waits until no operation is executing, operations of disconnected clients included.
    pub async fn wait_until_idle(&self) {
        self.hub.wait_until_idle().await;
    }

    /// Deactivates all faults.
    pub fn clear_faults(&self) {
        self.hub.faults().clear();
    }

    /// Advances every unfinished parcel by one status, regardless of the pace. Returns their number.
    pub fn advance_parcels(&self) -> usize {
        shipping::advance(&self.hub, |_, _| true)
    }

    /// Moves the sandbox's clock forward. Reservations age; tokens do not.
    pub fn advance_clock(&self, by: Duration) {
        self.hub.advance_clock(by);
    }

    /// Closes the ports and open connections, and saves the state.
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
            // A panicked task needs no further waiting.
            let _ = task.await;
        }
        if let Some(file) = self.file {
            file.save(&self.hub).await;
        }
    }
}
