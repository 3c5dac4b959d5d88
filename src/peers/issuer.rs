//! The token issuer, which publishes the keys that verify its tokens.

use std::time::Duration;

use futures_util::future::BoxFuture;
use jsonwebtoken::Algorithm;
use url::Url;
use uuid::Uuid;

use crate::auth::{JwkSet, KeyFetchError, KeySource};

use super::call::{CallContext, PeerClient, operation};
use super::outcome::{CallFailure, CallOutcome};

/// The longest timeout of fetching keys, because requests wait for them.
pub(super) const MAX_TIMEOUT: Duration = Duration::from_secs(2);

/// The client of the token issuer.
#[derive(Clone)]
pub struct TokenIssuer {
    peer: PeerClient,
    url: Url,
}

impl TokenIssuer {
    pub(super) fn new(peer: PeerClient, url: Url) -> Self {
        Self { peer, url }
    }
}

impl KeySource for TokenIssuer {
    fn fetch(&self, algorithm: Algorithm) -> BoxFuture<'_, Result<JwkSet, KeyFetchError>> {
        Box::pin(async move {
            match self.keys(algorithm).await {
                CallOutcome::Success(keys) => Ok(keys),
                CallOutcome::Retryable(failure) => Err(KeyFetchError(failure.reason)),
                CallOutcome::Rejected(rejection) | CallOutcome::Mismatched(rejection) => {
                    Err(KeyFetchError(rejection.reason))
                }
            }
        })
    }
}

impl TokenIssuer {
    async fn keys(&self, algorithm: Algorithm) -> CallOutcome<JwkSet> {
        let trace_id = Uuid::new_v4();
        let request_id = trace_id.to_string();
        let context = CallContext::without_order(trace_id, &request_id);
        let work = async {
            let response = self.peer.get(&context, &self.url).await?;
            if response.status != 200 {
                return Err(response.failure());
            }
            JwkSet::read(&response.body, algorithm)
                .map(CallOutcome::Success)
                .map_err(|fault| CallFailure::new(fault.to_string()))
        };
        self.peer
            .call(operation!(NoSaga, "issuer", "keys"), &context, work)
            .await
    }
}
