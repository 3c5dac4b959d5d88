//! One life of the service: a runtime of its own that dies, whole, at a failpoint.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, Once};

use order_service::config::Config;
use order_service::db::Database;
use order_service::failpoints::POINTS;
use order_service::fulfilment::Fulfilments;
use order_service::metrics::Metrics;
use order_service::orders::Orders;
use order_service::peers::Peers;
use order_service::signals::Signals;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

thread_local! {
    /// Whose thread this is.
    static LIFE: RefCell<Option<Arc<Watch>>> = const { RefCell::new(None) };
}

/// What happens at the failpoints of one life.
pub struct Watch {
    /// Where it is to die.
    deadly: Option<&'static str>,
    seen: Mutex<Seen>,
    died: Notify,
}

#[derive(Default)]
struct Seen {
    passed: BTreeSet<&'static str>,
    dead: bool,
}

impl Watch {
    /// Whoever is dead does nothing more: neither the task that died, nor any other of that life.
    fn pass(&self, point: &'static str) {
        let mut seen = self.seen.lock().unwrap();
        if !seen.dead {
            seen.passed.insert(point);
            seen.dead = self.deadly == Some(point);
        }
        let dead = seen.dead;
        drop(seen);
        if dead {
            self.died.notify_one();
            panic!("dies at {point}");
        }
    }

    /// Where it came past.
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

/// Lets every failpoint ask whose thread has come past, once for all lives and tests.
fn watch_failpoints() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        for point in POINTS {
            let ask = move || {
                let life = LIFE.with_borrow(Option::clone);
                if let Some(life) = life {
                    life.pass(point);
                }
            };
            fail::cfg_callback(point, ask).unwrap();
        }
        let tell = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            let life = LIFE.with_borrow(Option::clone);
            // This one is meant.
            if !life.is_some_and(|life| life.is_dead()) {
                tell(panic);
            }
        }));
    });
}

/// The service's use cases and its fulfilment, on threads of their own.
pub struct Life {
    pub orders: Orders,
    pub watch: Arc<Watch>,
    runtime: Runtime,
    stop: CancellationToken,
    fulfilling: JoinHandle<()>,
}

impl Life {
    /// Begins; ends at `deadly`, if it comes past there.
    pub fn begin(config: &Config, deadly: Option<&'static str>) -> Self {
        watch_failpoints();
        let watch = Arc::new(Watch {
            deadly,
            seen: Mutex::default(),
            died: Notify::new(),
        });
        let mark = {
            let watch = watch.clone();
            move || LIFE.set(Some(watch.clone()))
        };
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .on_thread_start(mark)
            .enable_all()
            .build()
            .unwrap();
        let metrics = Arc::new(Metrics::new().unwrap());
        let peers = Peers::new(config.peers.clone(), metrics.clone()).unwrap();
        let database =
            Database::new(config.database.clone(), config.limits, metrics.clone()).unwrap();
        let (signals, wakes) = Signals::new();
        let orders = Orders::new(
            database.clone(),
            metrics.clone(),
            signals.clone(),
            config.orders.clone(),
        );
        let fulfilments =
            Fulfilments::new(database, peers, metrics, signals, config.fulfilment.clone());
        let stop = CancellationToken::new();
        let stopping = stop.clone();
        let fulfilling = runtime.spawn(async move { fulfilments.run(wakes, stopping).await });
        Self {
            orders,
            watch,
            runtime,
            stop,
            fulfilling,
        }
    }

    /// Runs something in this life, as a request does; `None` if it died of it.
    pub async fn live<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Option<T> {
        self.runtime.spawn(work).await.ok()
    }

    /// Stops in good order, as far as it comes.
    pub async fn stop(&mut self) {
        self.stop.cancel();
        let _ = (&mut self.fulfilling).await;
    }

    /// Ends at once, whatever is going on.
    pub fn kill(self) {
        self.runtime.shutdown_background();
    }
}
