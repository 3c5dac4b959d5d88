//! Builds the service from its configuration, runs it, and shuts it down gracefully.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::auth::{SignIn, Verifier};
use crate::config::{Config, ListenAddress, ReconcileConfig};
use crate::db::{self, ConnectionPool, Replica};
use crate::http::{self, Cursors, Dependencies, Edge, HttpState};
use crate::metrics::Metrics;
use crate::notifications::{Notifications, WakeUp};
use crate::orders::Orders;
use crate::peers::Peers;
use crate::reconciliation::Reconciliation;
use crate::saga::SagaExecutor;
use crate::server;

/// How often expired idempotency keys are deleted.
const PURGE_EVERY: Duration = Duration::from_secs(600);
/// How often the gauges about sagas are refreshed.
const MEASURE_EVERY: Duration = Duration::from_secs(10);

/// The share of the grace period for requests in flight; the rest is for releasing leases.
const SHARE_FOR_REQUESTS: f64 = 0.8;

/// Why the service cannot start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The port is in use, or the process may not bind it.
    #[error("cannot listen on {0}: is something else running there? choose another PORT")]
    Listen(SocketAddr, #[source] std::io::Error),
    /// The key that tokens are verified with is unusable.
    #[error("the key for tokens cannot be used")]
    Key(#[from] crate::auth::KeyError),
    /// An HTTP client of a peer cannot be built.
    #[error("the clients of the peers cannot be built")]
    Peers(#[from] crate::peers::Error),
    /// The connection pool cannot be built.
    #[error("the pool of connections cannot be built")]
    Pool(#[from] deadpool::managed::BuildError),
    /// A metric is registered twice or has an invalid name.
    #[error("the metrics cannot be registered")]
    Metrics(#[from] prometheus::Error),
}

/// The running service.
pub struct App {
    address: SocketAddr,
    metrics_address: Option<SocketAddr>,
    orders: Orders,
    metrics: Arc<Metrics>,
    database: ConnectionPool,
    shutdown: Shutdown,
    tasks: Tasks,
    drain: Duration,
    grace: Duration,
}

/// The background tasks, which [`App::stop`] waits for.
struct Tasks {
    server: JoinHandle<()>,
    metrics_server: Option<JoinHandle<()>>,
    sagas: JoinHandle<()>,
    live_streams: JoinHandle<()>,
    housekeeping: JoinHandle<()>,
    key_refresh: JoinHandle<Option<()>>,
    reconciliation: JoinHandle<()>,
}

/// Tells the tasks to stop, in the order of [`App::stop`].
struct Shutdown {
    readiness: watch::Sender<bool>,
    listening: CancellationToken,
    claiming: CancellationToken,
    executing: CancellationToken,
}

impl Shutdown {
    fn new() -> Self {
        let executing = CancellationToken::new();
        Self {
            readiness: watch::Sender::new(false),
            listening: CancellationToken::new(),
            claiming: executing.child_token(),
            executing,
        }
    }
}

/// The components that the servers and background tasks share.
struct Components {
    database: ConnectionPool,
    verifier: Arc<Verifier>,
    users: Arc<dyn SignIn>,
    orders: Orders,
    sagas: SagaExecutor,
    reconciliation: Reconciliation,
    wake_ups: mpsc::Receiver<WakeUp>,
}

impl Components {
    fn new(config: &Config, metrics: &Arc<Metrics>) -> Result<Self, Error> {
        let peers = Peers::new(config.peers.clone(), metrics.clone())?;
        let verifier = Verifier::new(&config.auth, metrics.clone(), |url| {
            Ok::<_, Error>(Arc::new(peers.issuer(url.clone())?))
        })?;
        let users = Arc::new(peers.users(config.user_service.clone())?);
        let database =
            ConnectionPool::new(config.database.clone(), config.limits, metrics.clone())?;
        let replica = config.database_read.clone().map(|options| {
            let limits = db::PoolSettings {
                takes_standby: true,
                ..config.limits
            };
            ConnectionPool::new(options, limits, metrics.clone()).map(Replica::new)
        });
        let (notifications, wake_ups) = Notifications::new();
        let orders = Orders::new(
            database.clone(),
            replica.transpose()?,
            metrics.clone(),
            notifications.clone(),
            config.orders.clone(),
        );
        let sagas = SagaExecutor::new(
            database.clone(),
            peers.clone(),
            metrics.clone(),
            notifications,
            config.saga.clone(),
        );
        let reconciliation = Reconciliation::new(
            database.clone(),
            peers,
            sagas.clone(),
            metrics.clone(),
            config.reconciliation.clone(),
        );
        Ok(Self {
            database,
            verifier: Arc::new(verifier),
            users,
            orders,
            sagas,
            reconciliation,
            wake_ups,
        })
    }

    /// The state that the HTTP handlers share.
    fn shared(
        &self,
        config: &Config,
        metrics: &Arc<Metrics>,
        stopping: watch::Receiver<bool>,
    ) -> HttpState {
        HttpState::from(Dependencies {
            orders: self.orders.clone(),
            verifier: self.verifier.clone(),
            metrics: metrics.clone(),
            users: self.users.clone(),
            edge: Arc::new(Edge::new(config.requests.clone(), metrics.clone())),
            cursors: Arc::new(Cursors::new(&config.cursor_key)),
            has_metrics_port: config.metrics_port.is_some(),
            metrics_token: config.metrics_token.clone().map(Arc::new),
            public_url: config.public_url.clone().map(Arc::new),
            heartbeat: config.heartbeat,
            stopping,
        })
    }

    /// Starts the background tasks beside the servers.
    fn spawn(
        self,
        server: JoinHandle<()>,
        metrics_server: Option<JoinHandle<()>>,
        shutdown: &Shutdown,
    ) -> Tasks {
        let Self {
            verifier,
            orders,
            sagas,
            reconciliation,
            wake_ups,
            ..
        } = self;
        let Shutdown {
            listening,
            claiming,
            executing,
            ..
        } = shutdown;
        let (listening, drain, stop) = (listening.clone(), claiming.clone(), executing.clone());
        Tasks {
            server,
            metrics_server,
            sagas: tokio::spawn(async move { sagas.run(wake_ups, drain, stop).await }),
            housekeeping: tokio::spawn(run_housekeeping(orders.clone(), executing.clone())),
            live_streams: tokio::spawn(async move { orders.run_live_hub(listening).await }),
            key_refresh: tokio::spawn({
                let stop = executing.clone();
                async move { stop.run_until_cancelled(verifier.keep_fresh()).await }
            }),
            reconciliation: tokio::spawn({
                let stop = claiming.clone();
                async move { reconciliation.run_periodically(stop).await }
            }),
        }
    }
}

impl App {
    /// Starts the servers and the background tasks. Must be called within a Tokio runtime.
    pub fn start(config: Config) -> Result<Self, Error> {
        let metrics = Arc::new(Metrics::new()?);
        let components = Components::new(&config, &metrics)?;
        let ListenAddress { host, port } = config.listen;
        let (listener, address) = listen(SocketAddr::new(host, port))?;
        let metrics_listener = config
            .metrics_port
            .map(|port| listen(SocketAddr::new(host, port)))
            .transpose()?;
        let metrics_address = metrics_listener.as_ref().map(|(_, address)| *address);

        let shutdown = Shutdown::new();
        let shared = components.shared(&config, &metrics, shutdown.readiness.subscribe());
        let (limits, stop) = (config.connections, &shutdown.listening);
        let metrics_server = metrics_listener.map(|(listener, _)| {
            let service = http::operators_service(shared.clone());
            let (metrics, stop) = (metrics.clone(), stop.clone());
            tokio::spawn(server::serve(listener, service, limits, metrics, stop))
        });
        let service = http::service(shared);
        let server = server::serve(listener, service, limits, metrics.clone(), stop.clone());
        let server = tokio::spawn(server);
        let (orders, database) = (components.orders.clone(), components.database.clone());
        Ok(Self {
            address,
            metrics_address,
            tasks: components.spawn(server, metrics_server, &shutdown),
            orders,
            metrics,
            database,
            shutdown,
            drain: config.shutdown_drain,
            grace: config.shutdown_grace,
        })
    }

    /// The address that it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The address of the metrics, if they have a port of their own.
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.metrics_address
    }

    /// The metrics of this process.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Stops gracefully. Readiness fails at once, while requests are still accepted. Then requests in
    /// flight finish and leases are released. Work that is not done within the grace period is left to
    /// other replicas, which take it over when its leases expire.
    pub async fn stop(self) {
        let Self {
            shutdown, tasks, ..
        } = self;
        shutdown.readiness.send_replace(true);
        // Other replicas can claim the remaining work.
        shutdown.claiming.cancel();
        // A load balancer needs a moment to see that readiness fails.
        tokio::time::sleep(self.drain).await;
        let graceful = async {
            // This ends the event streams too: a request that never finishes would delay the rest.
            shutdown.listening.cancel();
            // Sagas continue meanwhile, because requests wait for orders to settle. The time limit keeps a
            // slow client from using up the time in which leases are released.
            let requests = async {
                let _ = tasks.server.await;
                if let Some(server) = tasks.metrics_server {
                    let _ = server.await;
                }
                self.orders.drain().await;
            };
            let _ = tokio::time::timeout(self.grace.mul_f64(SHARE_FOR_REQUESTS), requests).await;
            shutdown.executing.cancel();
            let _ = tasks.sagas.await;
            let _ = tasks.live_streams.await;
            let _ = tasks.housekeeping.await;
            let _ = tasks.key_refresh.await;
            let _ = tasks.reconciliation.await;
        };
        if tokio::time::timeout(self.grace, graceful).await.is_err() {
            tracing::warn!("stopped before all work was done: the grace period is over");
            shutdown.executing.cancel();
        }
        self.database.close();
    }
}

/// Binds a port.
fn listen(requested: SocketAddr) -> Result<(TcpListener, SocketAddr), Error> {
    let bind = || {
        let listener = server::listen(requested)?;
        let address = listener.local_addr()?;
        Ok((listener, address))
    };
    bind().map_err(|error| Error::Listen(requested, error))
}

/// Reconciliation for a process that does nothing else. Its metrics are not exposed.
pub fn reconciliation(config: ReconcileConfig) -> Result<Reconciliation, Error> {
    let metrics = Arc::new(Metrics::new()?);
    let peers = Peers::new(config.peers, metrics.clone())?;
    let database = ConnectionPool::new(config.database, config.limits, metrics.clone())?;
    let (notifications, _) = Notifications::new();
    let sagas = SagaExecutor::new(
        database.clone(),
        peers.clone(),
        metrics.clone(),
        notifications,
        config.saga,
    );
    let settings = config.reconciliation;
    Ok(Reconciliation::new(
        database, peers, sagas, metrics, settings,
    ))
}

/// Refreshes the gauges about sagas and deletes expired idempotency keys, until `stop`.
async fn run_housekeeping(orders: Orders, stop: CancellationToken) {
    let mut purge_at = Instant::now() + PURGE_EVERY;
    loop {
        if let Err(error) = orders.measure_sagas().await {
            tracing::debug!(
                error = &error as &dyn std::error::Error,
                "saga metrics not refreshed"
            );
        }
        if Instant::now() >= purge_at {
            purge_at += PURGE_EVERY;
            if let Err(error) = orders.purge_keys().await {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "idempotency keys not purged"
                );
            }
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(MEASURE_EVERY) => {}
        }
    }
}
