//! Whoever issues tokens: publishes the keys that verify them.

use std::time::Duration;

use futures_util::future::BoxFuture;
use jsonwebtoken::Algorithm;
use url::Url;
use uuid::Uuid;

use crate::auth::{KeySet, KeySource, NotFetched};

use super::answer::{CallFailure, CallOutcome};
use super::call::{CallContext, Peer, operation};

/// Requests wait for keys: fetching them takes no longer, whatever other calls may take.
pub(super) const TIMEOUT: Duration = Duration::from_secs(2);

/// The client of whoever publishes keys.
#[derive(Clone)]
pub struct Issuer {
    peer: Peer,
    url: Url,
}

impl Issuer {
    pub(super) fn new(peer: Peer, url: Url) -> Self {
        Self { peer, url }
    }
}

impl KeySource for Issuer {
    fn fetch(&self, algorithm: Algorithm) -> BoxFuture<'_, Result<KeySet, NotFetched>> {
        Box::pin(async move {
            match self.keys(algorithm).await {
                CallOutcome::Success(keys) => Ok(keys),
                CallOutcome::Retryable(trouble) => Err(NotFetched(trouble.reason)),
                CallOutcome::Rejected(refusal) | CallOutcome::Mismatched(refusal) => {
                    Err(NotFetched(refusal.reason))
                }
            }
        })
    }
}

impl Issuer {
    async fn keys(&self, algorithm: Algorithm) -> CallOutcome<KeySet> {
        let trace_id = Uuid::new_v4();
        let request_id = trace_id.to_string();
        let tag = CallContext::of_no_order(trace_id, &request_id);
        let work = async {
            let reply = self.peer.get(&tag, &self.url).await?;
            if reply.status != 200 {
                return Err(reply.trouble());
            }
            KeySet::read(&reply.body, algorithm)
                .map(CallOutcome::Success)
                .map_err(|fault| CallFailure::new(fault.to_string()))
        };
        self.peer
            .call(operation!("issuer", "keys"), &tag, work)
            .await
    }
}
