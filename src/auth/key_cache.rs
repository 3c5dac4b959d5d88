//! A cache of the keys that an issuer publishes. A background task refreshes it; a token that names an
//! unknown key causes one more fetch, at most once per `min_interval`. Stale keys stay in use while the issuer
//! is unavailable.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use jsonwebtoken::{Algorithm, DecodingKey};
use tokio::sync::{Mutex, watch};

use crate::clock;
use crate::metrics::Metrics;

use super::jwk_set::JwkSet;
use super::token_error::TokenError;
use super::verification_key::KeyRefreshPolicy;

/// The pause after a failed fetch; `refresh_every` if that is shorter.
const AFTER_FAILURE: Duration = Duration::from_secs(5);

/// Why keys could not be fetched, for the log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the issuer of tokens {0}")]
pub struct KeyFetchError(pub String);

/// Fetches the keys that an issuer publishes, within a bounded time.
pub trait KeySource: Send + Sync {
    /// The current keys for an algorithm.
    fn fetch(&self, algorithm: Algorithm) -> BoxFuture<'_, Result<JwkSet, KeyFetchError>>;
}

/// Whether tokens can be verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeysState {
    /// Keys are available.
    Ok,
    /// Keys are available, but the last fetch failed.
    Stale,
    /// No keys were fetched yet, or they have expired.
    Missing,
}

/// The keys of the last successful fetch.
struct CachedKeys {
    keys: JwkSet,
    fetched_at: Instant,
}

/// Caches the issuer's published keys and refreshes them in the background.
pub(super) struct KeyCache {
    source: Arc<dyn KeySource>,
    algorithm: Algorithm,
    policy: KeyRefreshPolicy,
    metrics: Arc<Metrics>,
    cached: watch::Sender<Option<Arc<CachedKeys>>>,
    /// Whether the last fetch failed.
    has_failed: AtomicBool,
    /// Locked during a fetch. Holds the time of the last fetch that a token caused.
    fetch_lock: Arc<Mutex<Option<Instant>>>,
}

impl KeyCache {
    pub fn new(
        source: Arc<dyn KeySource>,
        algorithm: Algorithm,
        policy: KeyRefreshPolicy,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self {
            source,
            algorithm,
            policy,
            metrics,
            cached: watch::Sender::new(None),
            has_failed: AtomicBool::new(false),
            fetch_lock: Arc::default(),
        }
    }

    /// The key for a token with this key id.
    pub async fn key(self: &Arc<Self>, name: Option<&str>) -> Result<Arc<DecodingKey>, TokenError> {
        match (self.find(name), name) {
            (Ok(Some(key)), _) => return Ok(key),
            // A token without a key id is ambiguous among several keys; fetching again cannot help.
            (Ok(None), None) => return Err(TokenError::Invalid),
            _ => {}
        }
        // The fetch runs in its own task: other requests still wait for it if this one times out.
        let _ = tokio::time::timeout(self.policy.max_wait, self.refetch(name)).await;
        self.find(name)?.ok_or(TokenError::Invalid)
    }

    fn find(&self, name: Option<&str>) -> Result<Option<Arc<DecodingKey>>, TokenError> {
        let cached = self.current().ok_or(TokenError::NoKeys)?;
        Ok(cached.keys.find(name))
    }

    /// The cached keys, unless they have expired.
    fn current(&self) -> Option<Arc<CachedKeys>> {
        let cached = self.cached.borrow().clone()?;
        let accepted_for = self.policy.refresh_every + self.policy.stale_for;
        (cached.fetched_at.elapsed() <= accepted_for).then_some(cached)
    }

    /// Fetches keys, unless a token caused a fetch recently. Concurrent calls wait for the same fetch.
    async fn refetch(self: &Arc<Self>, name: Option<&str>) {
        let mut last = self.fetch_lock.clone().lock_owned().await;
        let is_known = matches!(self.find(name), Ok(Some(_)));
        if is_known || last.is_some_and(|at| at.elapsed() < self.policy.min_interval) {
            return;
        }
        *last = Some(Instant::now());
        let cache = self.clone();
        let fetching = tokio::spawn(async move {
            cache.fetch().await;
            drop(last);
        });
        let _ = fetching.await;
    }

    /// Whether there are keys, and how fresh they are.
    pub fn state(&self) -> KeysState {
        match self.current() {
            None => KeysState::Missing,
            Some(_) if self.has_failed.load(Ordering::Relaxed) => KeysState::Stale,
            Some(_) => KeysState::Ok,
        }
    }

    /// Refreshes the keys forever.
    pub async fn keep_fresh(&self) {
        loop {
            let lock = self.fetch_lock.lock().await;
            let has_fetched = self.fetch().await;
            drop(lock);
            let pause = match has_fetched {
                // Jitter, so that replicas that started together spread their requests.
                true => self
                    .policy
                    .refresh_every
                    .mul_f64(rand::random_range(0.9..=1.0)),
                false => AFTER_FAILURE.min(self.policy.refresh_every),
            };
            tokio::time::sleep(pause).await;
        }
    }

    /// Fetches once. Returns whether it succeeded.
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
        let now = Arc::new(CachedKeys {
            keys,
            fetched_at: Instant::now(),
        });
        let before = self.cached.send_replace(Some(now.clone()));
        if !before.is_some_and(|before| before.keys.has_names_of(&now.keys)) {
            tracing::info!(count, ignored, "keys of tokens changed");
        }
        true
    }
}
