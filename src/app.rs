//! Puts the service together from its configuration, runs it, and stops it in good order.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::auth::Verifier;
use crate::config::{Config, Listen, Reconciling};
use crate::db::{self, Database, Replica};
use crate::fulfilment::Fulfilments;
use crate::http::{self, Cursors, Edge, Forms, Parts, Shared};
use crate::metrics::Metrics;
use crate::notifications::Notifications;
use crate::orders::Orders;
use crate::peers::Peers;
use crate::reconciliation::Reconciliation;
use crate::server;

/// How often idempotency keys whose time is over are removed.
const PURGE_EVERY: Duration = Duration::from_secs(600);
/// How often the tables are measured.
const MEASURE_EVERY: Duration = Duration::from_secs(10);

/// The part of the grace time that requests get; the rest is for giving leases back.
const SHARE_FOR_REQUESTS: f64 = 0.8;

/// Why the service cannot start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The port is taken, or not ours to take.
    #[error("cannot listen on {0}: is something else running there? choose another PORT")]
    Listen(SocketAddr, #[source] std::io::Error),
    /// The key that tokens are verified with.
    #[error("the key for tokens cannot be used")]
    Key(#[from] crate::auth::KeyError),
    /// The clients of the peers.
    #[error("the clients of the peers cannot be built")]
    Peers(#[from] crate::peers::Error),
    /// The pool of connections to the database.
    #[error("the pool of connections cannot be built")]
    Pool(#[from] deadpool::managed::BuildError),
    /// The metrics.
    #[error("the metrics cannot be registered")]
    Metrics(#[from] prometheus::Error),
}

/// The running service.
pub struct App {
    address: SocketAddr,
    metrics_address: Option<SocketAddr>,
    orders: Orders,
    metrics: Arc<Metrics>,
    database: Database,
    stopping: watch::Sender<bool>,
    stop_listening: CancellationToken,
    stop_claiming: CancellationToken,
    stop_fulfilling: CancellationToken,
    server: JoinHandle<()>,
    operators: Option<JoinHandle<()>>,
    fulfilling: JoinHandle<()>,
    listeners: JoinHandle<()>,
    keeping_house: JoinHandle<()>,
    keeping_keys: JoinHandle<Option<()>>,
    reconciling: JoinHandle<()>,
    drain: Duration,
    grace: Duration,
}

impl App {
    /// Starts to listen and to fulfil.
    pub async fn start(config: Config) -> Result<Self, Error> {
        let metrics = Arc::new(Metrics::new()?);
        let peers = Peers::new(config.peers, metrics.clone())?;
        let verifier = Verifier::new(&config.auth, metrics.clone(), |url| {
            Ok::<_, Error>(Arc::new(peers.issuer(url.clone())?))
        });
        let verifier = Arc::new(verifier?);
        let users = peers.users(config.user_service)?;
        let database = Database::new(config.database, config.limits, metrics.clone())?;
        let replica = match config.database_read {
            Some(options) => Some(Replica::new(Database::new(
                options,
                db::Limits {
                    takes_standby: true,
                    ..config.limits
                },
                metrics.clone(),
            )?)),
            None => None,
        };
        let Listen { host, port } = config.listen;
        let (listener, address) = listen(SocketAddr::new(host, port))?;
        let for_metrics = match config.metrics_port {
            Some(port) => Some(listen(SocketAddr::new(host, port))?),
            None => None,
        };

        let (notifications, wake_ups) = Notifications::new();
        let orders = Orders::new(
            database.clone(),
            replica,
            metrics.clone(),
            notifications.clone(),
            config.orders,
        );
        let fulfilments = Fulfilments::new(
            database.clone(),
            peers.clone(),
            metrics.clone(),
            notifications,
            config.fulfilment,
        );
        let reconciliation = Reconciliation::new(
            database.clone(),
            peers,
            fulfilments.clone(),
            metrics.clone(),
            config.reconciliation,
        );
        let (stopping, is_stopping) = watch::channel(false);
        let shared = Shared::from(Parts {
            orders: orders.clone(),
            verifier: verifier.clone(),
            metrics: metrics.clone(),
            users: Arc::new(users),
            forms: Arc::new(Forms::new(&config.cursor_key)),
            edge: Arc::new(Edge::new(config.requests)),
            cursors: Arc::new(Cursors::new(&config.cursor_key)),
            has_metrics_port: for_metrics.is_some(),
            metrics_token: config.metrics_token.map(Arc::new),
            public_url: config.public_url.map(Arc::new),
            heartbeat: config.heartbeat,
            stopping: is_stopping,
        });

        let stop_listening = CancellationToken::new();
        let stop_fulfilling = CancellationToken::new();
        let stop_claiming = stop_fulfilling.child_token();
        let metrics_address = for_metrics.as_ref().map(|(_, address)| *address);
        let operators = for_metrics.map(|(listener, _)| {
            let service = http::operators_service(shared.clone());
            let stop = stop_listening.clone();
            let (limits, metrics) = (config.connections, metrics.clone());
            tokio::spawn(server::serve(listener, service, limits, metrics, stop))
        });
        let service = http::service(shared);
        let stop = stop_listening.clone();
        let server = server::serve(listener, service, config.connections, metrics.clone(), stop);
        let (drain, stop) = (stop_claiming.clone(), stop_fulfilling.clone());
        Ok(Self {
            address,
            metrics_address,
            server: tokio::spawn(server),
            operators,
            fulfilling: tokio::spawn(async move { fulfilments.run(wake_ups, drain, stop).await }),
            listeners: tokio::spawn({
                let (orders, stop) = (orders.clone(), stop_listening.clone());
                async move { orders.serve_listeners(stop).await }
            }),
            keeping_house: tokio::spawn(keep_house(orders.clone(), stop_fulfilling.clone())),
            keeping_keys: tokio::spawn({
                let stop = stop_fulfilling.clone();
                async move { stop.run_until_cancelled(verifier.keep_fresh()).await }
            }),
            reconciling: tokio::spawn({
                let stop = stop_claiming.clone();
                async move { reconciliation.run_daily(stop).await }
            }),
            orders,
            metrics,
            database,
            stopping,
            stop_listening,
            stop_claiming,
            stop_fulfilling,
            drain: config.shutdown_drain,
            grace: config.shutdown_grace,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where the metrics are, if they have a port of their own.
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.metrics_address
    }

    /// What it counts.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Stops: readiness fails while requests are still taken, requests in flight finish, leases are
    /// given back. What is not done within the grace time is left to other replicas, which take over
    /// when its leases end.
    pub async fn stop(self) {
        self.stopping.send_replace(true);
        // What others can do is left to them.
        self.stop_claiming.cancel();
        // Readiness fails from now on; who balances the load needs a moment to see it.
        tokio::time::sleep(self.drain).await;
        let in_order = async {
            // Streams of events end with it: a request that never finishes would hold up the rest.
            self.stop_listening.cancel();
            // Fulfilment goes on meanwhile: requests wait for orders to settle. A client that will not
            // finish must not keep the leases from being given back.
            let requests = async {
                let _ = self.server.await;
                if let Some(operators) = self.operators {
                    let _ = operators.await;
                }
                self.orders.drain().await;
            };
            let _ = tokio::time::timeout(self.grace.mul_f64(SHARE_FOR_REQUESTS), requests).await;
            self.stop_fulfilling.cancel();
            let _ = self.fulfilling.await;
            let _ = self.listeners.await;
            let _ = self.keeping_house.await;
            let _ = self.keeping_keys.await;
            let _ = self.reconciling.await;
        };
        if tokio::time::timeout(self.grace, in_order).await.is_err() {
            tracing::warn!("stopped before everything was done: the grace time is over");
            self.stop_fulfilling.cancel();
        }
        self.database.close();
    }
}

/// Takes a port.
fn listen(asked: SocketAddr) -> Result<(TcpListener, SocketAddr), Error> {
    let bind = || {
        let listener = server::listen(asked)?;
        let address = listener.local_addr()?;
        Ok((listener, address))
    };
    bind().map_err(|error| Error::Listen(asked, error))
}

/// What compares orders with the peers' ledgers, in a process that does nothing else. Its metrics are
/// seen by nobody.
pub fn reconciliation(config: Reconciling) -> Result<Reconciliation, Error> {
    let metrics = Arc::new(Metrics::new()?);
    let peers = Peers::new(config.peers, metrics.clone())?;
    let database = Database::new(config.database, config.limits, metrics.clone())?;
    let (notifications, _) = Notifications::new();
    let fulfilments = Fulfilments::new(
        database.clone(),
        peers.clone(),
        metrics.clone(),
        notifications,
        config.fulfilment,
    );
    let settings = config.reconciliation;
    Ok(Reconciliation::new(
        database,
        peers,
        fulfilments,
        metrics,
        settings,
    ))
}

/// Keeps the metrics of the tables fresh, and the table of idempotency keys small.
async fn keep_house(orders: Orders, stop: CancellationToken) {
    let mut purge_at = Instant::now() + PURGE_EVERY;
    loop {
        if let Err(error) = orders.measure_fulfilments().await {
            tracing::debug!(
                error = &error as &dyn std::error::Error,
                "fulfilments not measured"
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
