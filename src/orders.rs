//! The use cases: place, cancel, report news, and answer questions. Each is one short write, or one
//! read; fulfilment does the rest and is met only in tables and by [`Notifications`].

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::task::TaskTracker;
use tracing::Instrument as _;

use crate::db::{Database, OrderReads, Replica};
use crate::domain::ids::{CustomerId, OrderId};
use crate::domain::order::{Order, PricingRules};
use crate::domain::principal::{Principal, Role};
use crate::metrics::Metrics;
use crate::notifications::Notifications;

mod attention;
mod cancel;
mod details;
mod error;
mod expected;
mod health;
mod list;
mod live;
mod place;
mod settle;
mod timeline;
mod update_status;

pub use crate::db::events::Part;
pub use crate::db::fulfilments::{Attention, Standing};
pub use crate::db::order_list::{Listing, StatusCount};
pub use attention::Decision;
pub use cancel::Cancelled;
pub use details::Tracking;
pub use error::{Error, Refusal};
pub use expected::Expected;
pub use live::{Listening, Settings as LiveSettings};
pub use place::{ClientKey, Placed};
pub use update_status::News;

use live::Desk;

/// How the use cases go about their work.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What is added to the lines of an order.
    pub pricing: PricingRules,
    /// How long a placement or a cancel waits for the order to settle.
    pub settle_wait: Duration,
    /// How long an idempotency key is remembered.
    pub keys_kept: Duration,
    /// How long this process keeps the fulfilment of what it has placed to itself.
    pub lease: Duration,
    /// How those who follow orders live are served.
    pub live: LiveSettings,
}

/// The use cases. Cheap to clone.
#[derive(Clone)]
pub struct Orders {
    db: Database,
    reads: OrderReads,
    replica: Option<Replica>,
    metrics: Arc<Metrics>,
    notifications: Notifications,
    settings: Arc<Settings>,
    live: Arc<Desk>,
    writes: TaskTracker,
}

impl Orders {
    /// Puts the parts together. Lists are read from the replica, if there is one.
    pub fn new(
        db: Database,
        replica: Option<Replica>,
        metrics: Arc<Metrics>,
        notifications: Notifications,
        settings: Settings,
    ) -> Self {
        let live = Desk::new(settings.live, metrics.clone());
        Self {
            reads: OrderReads::new(db.clone()),
            db,
            replica,
            metrics,
            notifications,
            settings: Arc::new(settings),
            live: Arc::new(live),
            writes: TaskTracker::new(),
        }
    }

    /// What is added to the lines of an order.
    pub fn pricing(&self) -> &PricingRules {
        &self.settings.pricing
    }

    /// Waits until every write that has begun is done.
    pub async fn drain(&self) {
        self.writes.close();
        self.writes.wait().await;
    }

    /// Runs what writes in a task of its own: a client that leaves drops the request's future, never
    /// this one.
    async fn detached<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, Error>> + Send + 'static,
    ) -> Result<T, Error> {
        self.writes
            .spawn(work.in_current_span())
            .await
            .map_err(Error::Crashed)?
    }

    async fn find(&self, owner: Option<CustomerId>, order_id: OrderId) -> Result<Order, Error> {
        let found = self.reads.find(owner, order_id).await?;
        found.ok_or(Error::NotFound(order_id))
    }
}

fn for_staff(caller: &Principal) -> Result<(), Error> {
    match caller.role {
        Role::Staff => Ok(()),
        Role::Customer | Role::Service => Err(Error::Forbidden("this is for staff")),
    }
}

/// Peer services report news; whose orders there are is not theirs to ask, nor what becomes of them.
fn not_for_services(caller: &Principal) -> Result<(), Error> {
    match caller.role {
        Role::Service => Err(Error::Forbidden(
            "peer services may only read an order and report news of it",
        )),
        Role::Customer | Role::Staff => Ok(()),
    }
}
