//! The use cases: place, cancel, update and read orders. Each is one short write or one read. The saga
//! does the rest; it is reached through tables and [`Notifications`] alone.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::task::TaskTracker;
use tracing::Instrument as _;

use crate::db::{ConnectionPool, OrderLoader, Replica};
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
mod idempotency;
mod list;
mod live;
mod place;
mod resolve;
mod settle;
mod timeline;
mod update_status;

pub use crate::db::events::EventPage;
pub use crate::db::order_list::{OrderListPage, StatusCount};
pub use crate::db::sagas::SagaStatus;
pub use cancel::Cancelled;
pub use details::Tracking;
pub use error::{Error, StateConflict};
pub use expected::Expected;
pub use idempotency::ClientKey;
pub use live::{LiveEvents, LiveSettings};
pub use place::Placed;
pub use resolve::Resolution;
pub use update_status::StatusUpdate;

use live::LiveHub;

/// Settings of the use cases.
#[derive(Clone, Debug)]
pub struct OrdersSettings {
    /// Tax, shipping fee and currency of new orders.
    pub pricing: PricingRules,
    /// The time that a placement or a cancel waits for the order to settle.
    pub settle_wait: Duration,
    /// The retention of idempotency keys.
    pub keys_kept: Duration,
    /// The lease of the saga that a placement starts in this process.
    pub lease: Duration,
    /// Settings of live tracking.
    pub live: LiveSettings,
}

/// The use cases. Cheap to clone.
#[derive(Clone)]
pub struct Orders {
    db: ConnectionPool,
    loader: OrderLoader,
    replica: Option<Replica>,
    metrics: Arc<Metrics>,
    notifications: Notifications,
    settings: Arc<OrdersSettings>,
    live: Arc<LiveHub>,
    writes: TaskTracker,
}

impl Orders {
    /// The use cases over a database. Lists are read from the replica, if there is one.
    pub fn new(
        db: ConnectionPool,
        replica: Option<Replica>,
        metrics: Arc<Metrics>,
        notifications: Notifications,
        settings: OrdersSettings,
    ) -> Self {
        let live = LiveHub::new(settings.live, metrics.clone());
        Self {
            loader: OrderLoader::new(db.clone()),
            db,
            replica,
            metrics,
            notifications,
            settings: Arc::new(settings),
            live: Arc::new(live),
            writes: TaskTracker::new(),
        }
    }

    /// Tax, shipping fee and currency of new orders.
    pub fn pricing(&self) -> &PricingRules {
        &self.settings.pricing
    }

    /// Waits until every started write has ended.
    pub async fn drain(&self) {
        self.writes.close();
        self.writes.wait().await;
    }

    /// Runs a write in its own task, so that it goes on when the client disconnects, which drops the
    /// request's future.
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
        let found = self.loader.find(owner, order_id).await?;
        found.ok_or(Error::NotFound(order_id))
    }
}

fn for_staff(caller: &Principal) -> Result<(), Error> {
    match caller.role {
        Role::Staff => Ok(()),
        Role::Customer | Role::Service => Err(Error::Forbidden("this is for staff")),
    }
}

/// Peer services may read a single order and report its status. They may not list, place or cancel
/// orders.
fn not_for_services(caller: &Principal) -> Result<(), Error> {
    match caller.role {
        Role::Service => Err(Error::Forbidden(
            "peer services may only read an order and report its status",
        )),
        Role::Customer | Role::Staff => Ok(()),
    }
}
