//! A shop to try the service in: stand-ins for Inventory, Payment, Shipping and
//! UserService, each a real HTTP server, all over one world held in memory.
//!
//! The stand-ins keep the contract of the real peers, keep ledgers of what they did
//! (`GET /sandbox/ledger`), and can be told to misbehave (`POST /sandbox/faults`, and
//! the [`specials`]), so that a developer can watch the service cope.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::{CancellationToken, DropGuard};

use desk::Desk;
use listen::Door;
use news::Reporter;
use saving::StateFile;
use tokens::Tokens;

mod clock;
mod cut;
mod desk;
mod error;
mod fault;
mod incoming;
mod inventory;
mod ledger;
mod listen;
mod news;
mod operation;
mod pages;
mod payment;
mod register;
mod reply;
mod saving;
mod settings;
mod shipping;
pub mod specials;
mod switches;
mod tokens;
mod users;
mod wire;
mod world;

pub use error::Error;
pub use fault::{Fault, Kind};
pub use inventory::{Allocation, Line, Reservation, ReservationState, StockRow};
pub use ledger::Ledger;
pub use operation::Operation;
pub use payment::{Charge, ChargeStatus, Refund};
pub use settings::{Ports, Settings, Urls};
pub use shipping::{ParcelStatus, Shipment};

/// How long [`Sandbox::stop`] waits for open connections before it leaves them.
const FAREWELL: Duration = Duration::from_secs(2);

/// The running stand-ins. Dropping it closes the ports; [`Sandbox::stop`] also waits for
/// that and saves the world.
#[derive(Debug)]
pub struct Sandbox {
    desk: Desk,
    urls: Urls,
    file: Option<StateFile>,
    stop: DropGuard,
    servers: Vec<JoinHandle<()>>,
    chores: Vec<JoinHandle<()>>,
}

impl Sandbox {
    /// Take the ports, load the saved world if there is one, and start to serve.
    ///
    /// # Errors
    ///
    /// When a port cannot be had (all four are tried before anything starts), when the
    /// state file cannot be read, or when no HTTP client can be built for parcel news.
    pub async fn start(settings: Settings) -> Result<Self, Error> {
        let Settings { host, ports, .. } = settings;
        let user = Door::open(host, ports.user, "UserService", "user").await?;
        let inventory = Door::open(host, ports.inventory, "Inventory", "inventory").await?;
        let payment = Door::open(host, ports.payment, "Payment", "payment").await?;
        let shipping = Door::open(host, ports.shipping, "Shipping", "shipping").await?;

        let stop = CancellationToken::new();
        let mut chores = Vec::new();
        let tokens = Tokens::new(&settings.signing_secret);
        let news = match settings.order_service_url {
            Some(url) => {
                let (sender, receiver) = mpsc::channel(news::QUEUE_LENGTH);
                let reporter = Reporter::new(url, tokens.clone())?;
                chores.push(tokio::spawn(reporter.run(receiver, stop.clone())));
                Some(sender)
            }
            None => None,
        };
        let file = settings.state_file.map(StateFile::new);
        let world = match &file {
            Some(file) => file.load().await?,
            None => world::World::new(),
        };
        let desk = Desk::new(world, tokens, news, stop.clone(), file.is_some());
        if let Some(file) = &file {
            chores.push(tokio::spawn(file.clone().keep(desk.clone())));
        }
        if let Some(pace) = settings.parcel_pace {
            chores.push(tokio::spawn(shipping::run(desk.clone(), pace)));
        }

        let urls = Urls {
            user: user.url().clone(),
            inventory: inventory.url().clone(),
            payment: payment.url().clone(),
            shipping: shipping.url().clone(),
        };
        let servers = vec![
            user.serve(users::routes(), &desk),
            inventory.serve(inventory::routes(), &desk),
            payment.serve(payment::routes(), &desk),
            shipping.serve(shipping::routes(), &desk),
        ];
        Ok(Self {
            desk,
            urls,
            file,
            stop: stop.drop_guard(),
            servers,
            chores,
        })
    }

    /// Where each stand-in listens, with the port that it was really given.
    pub fn urls(&self) -> &Urls {
        &self.urls
    }

    /// Everything the stand-ins hold and did until now.
    pub fn ledger(&self) -> Ledger {
        self.desk.look(|world| Ledger::of(world, None))
    }

    /// Switch a fault on. One of the same operation and kind is replaced; several others
    /// may be active beside it.
    pub fn set_fault(&self, fault: Fault) {
        self.desk.faults().set(fault);
    }

    /// Wait until nothing is executed any more, late calls included.
    pub async fn quiet(&self) {
        self.desk.quiet().await;
    }

    /// Switch all faults off.
    pub fn clear_faults(&self) {
        self.desk.faults().clear();
    }

    /// Move every parcel that is under way by one status, whatever the pace is, and tell
    /// how many moved.
    pub fn advance_parcels(&self) -> usize {
        shipping::advance(&self.desk, |_, _| true)
    }

    /// Move the stand-ins' clock forward: reservations age, tokens do not.
    pub fn advance_clock(&self, by: Duration) {
        self.desk.advance_clock(by);
    }

    /// Close the ports, let go of open connections and save the world.
    pub async fn stop(self) {
        drop(self.stop);
        for server in self.servers {
            let abort = server.abort_handle();
            if timeout(FAREWELL, server).await.is_err() {
                abort.abort();
            }
        }
        self.desk.quiet().await;
        for chore in self.chores {
            // A chore that panicked has nothing left to wait for.
            let _ = chore.await;
        }
        if let Some(file) = self.file {
            file.save(&self.desk).await;
        }
    }
}
