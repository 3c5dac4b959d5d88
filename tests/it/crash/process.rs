//! A simulated process of the service: a runtime that ends as a whole at a failpoint.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, Once};

use order_service::config::Config;
use order_service::db::ConnectionPool;
use order_service::failpoints::POINTS;
use order_service::metrics::Metrics;
use order_service::notifications::Notifications;
use order_service::orders::Orders;
use order_service::peers::Peers;
use order_service::saga::SagaExecutor;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

thread_local! {
    /// The process that this thread belongs to.
    static CURRENT: RefCell<Option<Arc<FailpointWatch>>> = const { RefCell::new(None) };
}

/// The failpoints of one process.
#[derive(Default)]
pub struct FailpointWatch {
    /// The failpoint at which it dies.
    crash_at: Option<&'static str>,
    seen: Mutex<WatchState>,
    died: Notify,
}

#[derive(Default)]
struct WatchState {
    passed: BTreeSet<&'static str>,
    is_armed: bool,
    dead: bool,
}

impl FailpointWatch {
    /// A dead process does nothing more: this ends the current task, and every other task of the
    /// process at its next failpoint.
    fn pass(&self, point: &'static str) {
        let mut seen = self.seen.lock().unwrap();
        if seen.is_armed && !seen.dead {
            seen.passed.insert(point);
            seen.dead = self.crash_at == Some(point);
        }
        let dead = seen.dead;
        drop(seen);
        if dead {
            self.died.notify_one();
            panic!("dies at {point}");
        }
    }

    /// Starts to record failpoints and to die at the chosen one.
    pub fn arm(&self) {
        let mut seen = self.seen.lock().unwrap();
        seen.is_armed = true;
        seen.passed.clear();
    }

    /// Stops recording until it is armed again.
    fn disarm(&self) {
        self.seen.lock().unwrap().is_armed = false;
    }

    /// The failpoints it has passed.
    pub fn passed(&self) -> BTreeSet<&'static str> {
        self.seen.lock().unwrap().passed.clone()
    }

    /// Resolves when it has died.
    pub async fn died(&self) {
        self.died.notified().await;
    }

    /// Whether it has died.
    pub fn is_dead(&self) -> bool {
        self.seen.lock().unwrap().dead
    }
}

/// Connects every failpoint with the process of the current thread. Runs once for all tests.
fn watch_failpoints() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        for point in POINTS {
            let ask = move || {
                let process = CURRENT.with_borrow(Option::clone);
                if let Some(process) = process {
                    process.pass(point);
                }
            };
            fail::cfg_callback(point, ask).unwrap();
        }
        let run_scenario = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            let process = CURRENT.with_borrow(Option::clone);
            // An intended crash is not reported.
            if !process.is_some_and(|process| process.is_dead()) {
                run_scenario(panic);
            }
        }));
    });
}

/// The use cases and the saga worker on their own threads.
pub struct SimulatedProcess {
    pub watch: Arc<FailpointWatch>,
    runtime: Option<Runtime>,
    database: ConnectionPool,
    metrics: Arc<Metrics>,
    peers: Peers,
    config: Config,
    at_work: Option<AtWork>,
}

struct AtWork {
    orders: Orders,
    stop: CancellationToken,
    fulfilling: JoinHandle<()>,
}

impl SimulatedProcess {
    /// A process that dies at `crash_at`, if it passes it once it is armed. It is not started yet.
    pub fn new(config: &Config, crash_at: Option<&'static str>) -> Self {
        watch_failpoints();
        let watch = Arc::new(FailpointWatch {
            crash_at,
            ..FailpointWatch::default()
        });
        let mark = {
            let watch = watch.clone();
            move || CURRENT.set(Some(watch.clone()))
        };
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .on_thread_start(mark)
            .enable_all()
            .build()
            .unwrap();
        let metrics = Arc::new(Metrics::new().unwrap());
        let (options, limits) = (config.database.clone(), config.limits);
        Self {
            watch,
            runtime: Some(runtime),
            database: ConnectionPool::new(options, limits, metrics.clone()).unwrap(),
            peers: Peers::new(config.peers.clone(), metrics.clone()).unwrap(),
            metrics,
            config: config.clone(),
            at_work: None,
        }
    }

    /// Starts the worker.
    pub fn start(&mut self) {
        let (database, metrics) = (self.database.clone(), self.metrics.clone());
        let peers = self.peers.clone();
        let (notifications, wake_ups) = Notifications::new();
        let (senders, settings) = (notifications.clone(), self.config.orders.clone());
        let orders = Orders::new(database.clone(), None, metrics.clone(), senders, settings);
        let settings = self.config.saga.clone();
        let sagas = SagaExecutor::new(database, peers, metrics, notifications, settings);
        let stop = CancellationToken::new();
        let stopping = stop.clone();
        let work = async move { sagas.run(wake_ups, stopping.clone(), stopping).await };
        self.at_work = Some(AtWork {
            orders,
            stop,
            fulfilling: self.runtime().spawn(work),
        });
    }

    /// The use cases of a started process.
    pub fn orders(&self) -> Orders {
        self.at_work.as_ref().unwrap().orders.clone()
    }

    /// Runs a request in this process; `None` if the process died.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Option<T> {
        self.runtime().spawn(work).await.ok()
    }

    /// Shuts down gracefully, as far as it gets; it may be started again.
    pub async fn stop(&mut self) {
        if let Some(work) = self.at_work.take() {
            work.stop.cancel();
            let _ = work.fulfilling.await;
        }
        self.watch.disarm();
    }

    fn runtime(&self) -> &Runtime {
        self.runtime.as_ref().unwrap()
    }
}

/// Aborts all tasks at once.
impl Drop for SimulatedProcess {
    fn drop(&mut self) {
        self.runtime.take().unwrap().shutdown_background();
    }
}
