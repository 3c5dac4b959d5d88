//! The keys of an issuer that publishes them: fetched in the background, and out of turn when a token
//! names one that is not known. The last ones are kept while the issuer is away.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use jsonwebtoken::{Algorithm, DecodingKey};
use tokio::sync::{Mutex, watch};

use crate::clock;
use crate::metrics::Metrics;

use super::{KeySet, Rejection};

/// After a failure keys are fetched again so soon, or sooner where they are fetched more often anyway.
const AFTER_FAILURE: Duration = Duration::from_secs(5);

/// Why keys were not fetched, for operators.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the issuer of tokens {0}")]
pub struct NotFetched(pub String);

/// Fetches the keys that an issuer publishes. It takes a bounded time.
pub trait KeySource: Send + Sync {
    /// Those for an algorithm, as they are now.
    fn fetch(&self, algorithm: Algorithm) -> BoxFuture<'_, Result<KeySet, NotFetched>>;
}

/// How often published keys are fetched, and how long they count.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// How long they are fresh: so often they are fetched in the background.
    pub refresh_every: Duration,
    /// For how long after that they are used while the issuer is away.
    pub stale_for: Duration,
    /// At least so long lies between two fetches for tokens that name unknown keys.
    pub rest: Duration,
    /// So long at most a token waits for keys.
    pub patience: Duration,
}

/// Whether there are keys to verify tokens with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeysState {
    /// There are.
    Ok,
    /// There are, but they could not be fetched anew.
    Stale,
    /// There are none: none were ever had, or those are too old.
    Missing,
}

struct Held {
    keys: KeySet,
    fetched_at: Instant,
}

/// Published keys.
pub(super) struct KeyRing {
    source: Arc<dyn KeySource>,
    algorithm: Algorithm,
    pace: Pace,
    metrics: Arc<Metrics>,
    held: watch::Sender<Option<Arc<Held>>>,
    /// Whether the last fetch failed.
    has_failed: AtomicBool,
    /// Locked while keys are fetched, whoever asked; when that was last done for a token.
    flight: Arc<Mutex<Option<Instant>>>,
}

impl KeyRing {
    pub fn new(
        source: Arc<dyn KeySource>,
        algorithm: Algorithm,
        pace: Pace,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self {
            source,
            algorithm,
            pace,
            metrics,
            held: watch::Sender::new(None),
            has_failed: AtomicBool::new(false),
            flight: Arc::default(),
        }
    }

    /// The key that a token names.
    pub async fn key(self: &Arc<Self>, name: Option<&str>) -> Result<Arc<DecodingKey>, Rejection> {
        match (self.find(name), name) {
            (Ok(Some(key)), _) => return Ok(key),
            // Among several keys it means none, however fresh they are.
            (Ok(None), None) => return Err(Rejection::Invalid),
            _ => {}
        }
        // Who waits too long, or leaves, does not stop what others wait for.
        let _ = tokio::time::timeout(self.pace.patience, self.look_again(name)).await;
        self.find(name)?.ok_or(Rejection::Invalid)
    }

    fn find(&self, name: Option<&str>) -> Result<Option<Arc<DecodingKey>>, Rejection> {
        let held = self.current().ok_or(Rejection::NoKeys)?;
        Ok(held.keys.find(name))
    }

    /// What is held, if it is not too old.
    fn current(&self) -> Option<Arc<Held>> {
        let held = self.held.borrow().clone()?;
        let accepted_for = self.pace.refresh_every + self.pace.stale_for;
        (held.fetched_at.elapsed() <= accepted_for).then_some(held)
    }

    /// Has keys fetched once more, unless that was done lately or is being done: then it waits for those.
    async fn look_again(self: &Arc<Self>, name: Option<&str>) {
        let mut last = self.flight.clone().lock_owned().await;
        let has_come = matches!(self.find(name), Ok(Some(_)));
        if has_come || last.is_some_and(|at| at.elapsed() < self.pace.rest) {
            return;
        }
        *last = Some(Instant::now());
        let ring = self.clone();
        let flight = tokio::spawn(async move {
            ring.fetch().await;
            drop(last);
        });
        let _ = flight.await;
    }

    /// Whether there are keys, and how fresh they are.
    pub fn state(&self) -> KeysState {
        match self.current() {
            None => KeysState::Missing,
            Some(_) if self.has_failed.load(Ordering::Relaxed) => KeysState::Stale,
            Some(_) => KeysState::Ok,
        }
    }

    /// Fetches again and again.
    pub async fn keep_fresh(&self) {
        loop {
            let flight = self.flight.lock().await;
            let has_fetched = self.fetch().await;
            drop(flight);
            let pause = match has_fetched {
                // Replicas that started together do not come together for ever.
                true => self
                    .pace
                    .refresh_every
                    .mul_f64(rand::random_range(0.9..=1.0)),
                false => AFTER_FAILURE.min(self.pace.refresh_every),
            };
            tokio::time::sleep(pause).await;
        }
    }

    /// Fetches once; whether that went well.
    async fn fetch(&self) -> bool {
        let fetched = self.source.fetch(self.algorithm).await;
        self.has_failed.store(fetched.is_err(), Ordering::Relaxed);
        let keys = match fetched {
            Ok(keys) => keys,
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, keys = ?self.state(), "keys of tokens not fetched");
                return false;
            }
        };
        let (count, ignored) = (keys.len(), keys.ignored());
        self.metrics
            .token_keys
            .set(i64::try_from(count).unwrap_or(i64::MAX));
        self.metrics
            .token_keys_fetched
            .set(clock::now().unix_timestamp());
        let now = Arc::new(Held {
            keys,
            fetched_at: Instant::now(),
        });
        let before = self.held.send_replace(Some(now.clone()));
        if !before.is_some_and(|before| before.keys.has_names_of(&now.keys)) {
            tracing::info!(count, ignored, "keys of tokens changed");
        }
        true
    }
}
