//! The limits that apply to every request before a handler runs: load shedding, timeouts, rate limits,
//! CORS and security headers. `server` limits connections.

use std::net::IpAddr;
use std::sync::Arc;

use axum::http::{Extensions, HeaderMap};
use tokio::sync::Semaphore;

use super::problem::{Problem, ProblemKind};
use crate::metrics::Metrics;

mod client;
mod compression;
mod cors;
mod limits;
pub mod load_shedding;
pub mod rate_limit;
mod rate_limiter;
mod security_headers;

pub use compression::compression;
pub use cors::cors;
pub use limits::RequestLimits;
pub use security_headers::SecurityHeaders;

use rate_limiter::RateLimiters;

/// The limits and their current use.
#[derive(Debug)]
pub struct Edge {
    limits: RequestLimits,
    /// One permit for each request that is being answered.
    permits: Semaphore,
    rates: RateLimiters,
    metrics: Arc<Metrics>,
}

impl Edge {
    /// Creates the edge with all permits and quotas available.
    pub fn new(limits: RequestLimits, metrics: Arc<Metrics>) -> Self {
        Self {
            permits: Semaphore::new(limits.max_requests),
            rates: RateLimiters::new(&limits),
            limits,
            metrics,
        }
    }

    /// The configured limits.
    pub fn limits(&self) -> &RequestLimits {
        &self.limits
    }

    /// The address of the client that sent a request.
    pub fn client_address(&self, extensions: &Extensions, headers: &HeaderMap) -> IpAddr {
        client::address(extensions, headers, &self.limits.trusted_proxies)
    }

    /// Counts a rejected request and returns its problem.
    fn reject(&self, kind: ProblemKind, detail: impl Into<String>) -> Problem {
        self.metrics.request_refused(kind.code());
        Problem::new(kind, detail)
    }
}
