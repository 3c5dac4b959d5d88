//! A batcher (the DataLoader pattern): loads that arrive while others are running are combined into one
//! statement. Many clients cost the database less than one statement each, and a single client does not
//! wait for others.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::timeout;

use super::{ConnectionPool, Error};

/// The number of statements at a time: one runs while the result of the other is on its way.
const MAX_WORKERS: usize = 2;
/// A worker whose statement takes longer than this no longer counts, so that it does not delay others.
const SLOW_AFTER: Duration = Duration::from_millis(50);

/// A key whose value one statement loads together with the values of other keys.
pub(super) trait BatchKey: Clone + Eq + Hash + Send + Sync + 'static {
    /// The loaded value.
    type Value: Clone + Send + 'static;

    /// The number of keys that one statement loads.
    const MAX_BATCH: usize;

    /// Loads the values of distinct keys, in their order.
    fn load(
        pool: &ConnectionPool,
        keys: &[Self],
    ) -> impl Future<Output = Result<Vec<Self::Value>, Error>> + Send;
}

/// Loads values in batches. Cheap to clone.
pub(super) struct Batcher<K: BatchKey> {
    pool: ConnectionPool,
    queue: Arc<Mutex<LoadQueue<K>>>,
}

impl<K: BatchKey> Clone for Batcher<K> {
    fn clone(&self) -> Self {
        Self {
            pool: self.pool.clone(),
            queue: self.queue.clone(),
        }
    }
}

/// The pending requests, and the number of workers that count.
struct LoadQueue<K: BatchKey> {
    pending: VecDeque<LoadRequest<K>>,
    workers: usize,
}

impl<K: BatchKey> LoadQueue<K> {
    /// Counts another worker, if the limit allows one and requests are pending.
    fn adds_worker(&mut self) -> bool {
        let is_added = self.workers < MAX_WORKERS && !self.pending.is_empty();
        self.workers += usize::from(is_added);
        is_added
    }
}

struct LoadRequest<K: BatchKey> {
    key: K,
    reply: oneshot::Sender<Result<K::Value, Error>>,
}

impl<K: BatchKey> LoadRequest<K> {
    fn is_abandoned(&self) -> bool {
        self.reply.is_closed()
    }

    fn reply(self, result: Result<K::Value, Error>) {
        // The requester may have gone.
        let _ = self.reply.send(result);
    }
}

/// The requests of one statement, by key.
type Batch<K> = HashMap<K, Vec<LoadRequest<K>>>;

impl<K: BatchKey> Batcher<K> {
    /// A batcher that reads through this pool.
    pub fn new(pool: ConnectionPool) -> Self {
        let queue = LoadQueue {
            pending: VecDeque::new(),
            workers: 0,
        };
        Self {
            pool,
            queue: Arc::new(Mutex::new(queue)),
        }
    }

    /// Loads the value of a key. The statement starts no earlier than this call.
    pub async fn load(&self, key: K) -> Result<K::Value, Error> {
        let loaded = self.request(key);
        let dropped = |_| Err(Error::Unavailable("the read was abandoned".into()));
        self.pool
            .with_time_limit(async { loaded.await.unwrap_or_else(dropped) })
            .await
    }

    fn request(&self, key: K) -> oneshot::Receiver<Result<K::Value, Error>> {
        let (reply, loaded) = oneshot::channel();
        let mut queue = self.queue();
        queue.pending.push_back(LoadRequest { key, reply });
        let is_added = queue.adds_worker();
        drop(queue);
        self.spawn_worker_if(is_added);
        loaded
    }

    /// Call without holding the lock: a runtime that shuts down drops the worker at once, and its drop
    /// takes the lock.
    fn spawn_worker_if(&self, is_added: bool) {
        if is_added {
            let worker = BatchWorker {
                batcher: self.clone(),
                is_counted: true,
            };
            tokio::spawn(worker.run());
        }
    }

    fn queue(&self) -> MutexGuard<'_, LoadQueue<K>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn execute(&self, mut batch: Batch<K>) {
        let keys: Vec<K> = batch.keys().cloned().collect();
        match K::load(&self.pool, &keys).await {
            Ok(values) => {
                for (key, value) in keys.iter().zip(values) {
                    let mut requests = batch.remove(key).unwrap_or_default();
                    let last = requests.pop();
                    for request in requests {
                        request.reply(Ok(value.clone()));
                    }
                    if let Some(request) = last {
                        request.reply(Ok(value));
                    }
                }
            }
            Err(error) if error.is_transient() || keys.len() == 1 => {
                for request in batch.into_values().flatten() {
                    request.reply(Err(error.duplicate()));
                }
            }
            // An unreadable row fails its own load only: load the keys one by one.
            Err(_) => {
                for (key, mut requests) in batch {
                    requests.retain(|request| !request.is_abandoned());
                    if !requests.is_empty() {
                        Box::pin(self.execute(HashMap::from([(key, requests)]))).await;
                    }
                }
            }
        }
    }
}

/// Executes batches while requests are pending.
struct BatchWorker<K: BatchKey> {
    batcher: Batcher<K>,
    /// Whether it counts towards [`MAX_WORKERS`].
    is_counted: bool,
}

impl<K: BatchKey> BatchWorker<K> {
    async fn run(mut self) {
        while self.is_counted
            && let Some(batch) = self.next_batch()
        {
            let batcher = self.batcher.clone();
            let mut execution = pin!(batcher.execute(batch));
            if timeout(SLOW_AFTER, &mut execution).await.is_err() {
                self.stop_counting();
                execution.await;
            }
        }
    }

    /// The next batch. Without one, the worker stops counting under the same lock, so that the next
    /// request starts a new worker.
    fn next_batch(&mut self) -> Option<Batch<K>> {
        let mut queue = self.batcher.queue();
        let mut batch = Batch::new();
        while batch.len() < K::MAX_BATCH
            && let Some(request) = queue.pending.pop_front()
        {
            if !request.is_abandoned() {
                batch.entry(request.key.clone()).or_default().push(request);
            }
        }
        if batch.is_empty() {
            self.is_counted = false;
            queue.workers -= 1;
            return None;
        }
        Some(batch)
    }

    /// Lets another worker take this one's place.
    fn stop_counting(&mut self) {
        self.is_counted = false;
        let mut queue = self.batcher.queue();
        queue.workers -= 1;
        let is_added = queue.adds_worker();
        drop(queue);
        self.batcher.spawn_worker_if(is_added);
    }
}

/// A worker that ends early, for example by a panic, leaves no request pending without a worker.
impl<K: BatchKey> Drop for BatchWorker<K> {
    fn drop(&mut self) {
        if self.is_counted {
            let mut queue = self.batcher.queue();
            queue.workers -= 1;
            if queue.workers == 0 {
                queue.pending.clear();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::hash::Hasher;

    use futures_util::future::join_all;
    use sqlx::postgres::PgConnectOptions;
    use tokio::sync::Semaphore;

    use super::*;
    use crate::db::pool::{PoolSettings, Pooler};
    use crate::metrics::Metrics;

    /// The sizes of the executed batches, and a semaphore that holds their results back.
    struct BatchLog {
        sizes: Mutex<Vec<usize>>,
        permits: Semaphore,
    }

    /// A key whose value is its double. A negative key is unreadable.
    #[derive(Clone)]
    struct Twice(i64, Arc<BatchLog>);

    impl PartialEq for Twice {
        fn eq(&self, other: &Self) -> bool {
            self.0 == other.0
        }
    }

    impl Eq for Twice {}

    impl Hash for Twice {
        fn hash<H: Hasher>(&self, state: &mut H) {
            self.0.hash(state);
        }
    }

    impl BatchKey for Twice {
        type Value = i64;

        const MAX_BATCH: usize = 10;

        async fn load(_: &ConnectionPool, keys: &[Self]) -> Result<Vec<i64>, Error> {
            let log = &keys[0].1;
            log.sizes.lock().unwrap().push(keys.len());
            let _permit = log.permits.acquire().await.unwrap();
            match keys.iter().find(|key| key.0 < 0) {
                Some(key) => Err(Error::Unreadable {
                    column: "number",
                    order_id: key.0,
                }),
                None => Ok(keys.iter().map(|key| key.0 * 2).collect()),
            }
        }
    }

    fn batcher() -> (Batcher<Twice>, Arc<BatchLog>) {
        let settings = PoolSettings {
            max_connections: 1,
            acquire_timeout: Duration::from_secs(1),
            pooler: Pooler::None,
            takes_standby: false,
        };
        // The pool never opens a connection, because no test acquires one.
        let options = PgConnectOptions::new_without_pgpass();
        let metrics = Arc::new(Metrics::new().unwrap());
        let pool = ConnectionPool::new(options, settings, metrics).unwrap();
        let log = BatchLog {
            sizes: Mutex::default(),
            permits: Semaphore::new(0),
        };
        (Batcher::new(pool), Arc::new(log))
    }

    async fn settle() {
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn concurrent_loads_share_a_few_statements() {
        let (batcher, log) = batcher();
        let sizes = || log.sizes.lock().unwrap().clone();
        let load = |key: i64| batcher.load(Twice(key % 25, log.clone()));
        let loads = join_all((0..100).map(load));
        let observer = async {
            // No batch has a result yet, so another one starts only when a slow worker stops counting.
            let more = async {
                while sizes().len() <= MAX_WORKERS {
                    tokio::time::sleep(SLOW_AFTER / 10).await;
                }
            };
            timeout(SLOW_AFTER * 100, more).await.unwrap();
            log.permits.add_permits(MAX_WORKERS);
        };
        let (loaded, ()) = tokio::join!(loads, observer);
        let values: Vec<_> = loaded.into_iter().map(Result::unwrap).collect();
        let expected: Vec<_> = (0..100).map(|key| key % 25 * 2).collect();
        assert_eq!(values, expected);
        assert_eq!(sizes(), [10; 10]);
    }

    #[tokio::test]
    async fn an_unreadable_row_fails_its_own_load_only() {
        let (batcher, log) = batcher();
        log.permits.add_permits(MAX_WORKERS);
        let load = |key| batcher.load(Twice(key, log.clone()));
        for (key, loaded) in (-1..8).zip(join_all((-1..8).map(load)).await) {
            match key {
                -1 => assert!(matches!(
                    loaded,
                    Err(Error::Unreadable { order_id: -1, .. })
                )),
                _ => assert_eq!(loaded.unwrap(), key * 2),
            }
        }
    }

    #[tokio::test]
    async fn abandoned_loads_are_not_executed() {
        let (batcher, log) = batcher();
        let spawn_load = |key| {
            let (batcher, key) = (batcher.clone(), Twice(key, log.clone()));
            tokio::spawn(async move { batcher.load(key).await })
        };
        let mut loads = Vec::new();
        for key in 1..=4 {
            loads.push(spawn_load(key));
            settle().await;
        }
        loads.remove(2).abort();
        settle().await;
        log.permits.add_permits(MAX_WORKERS);
        for (load, value) in loads.into_iter().zip([2, 4, 8]) {
            assert_eq!(load.await.unwrap().unwrap(), value);
        }
        assert_eq!(*log.sizes.lock().unwrap(), [1; 3]);
    }
}
