//! What every request meets before it is answered, whoever sent it: how many there may be, how often one
//! caller may ask, how long an answer may take, what every answer tells browsers. What connections may
//! take is another part's, `server`.

use std::num::NonZeroU32;
use std::time::Duration;

use axum::extract::{MatchedPath, Request};
use axum::middleware::Next;
use axum::response::Response;
use ipnet::IpNet;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::Shared;
use super::problem::{Kind, Problem};

pub mod client;
mod compression;
mod cors;
mod headers;
pub mod rate;

pub use compression::compression;
pub use cors::cors;
pub use headers::Guard;

use rate::Rates;

/// What requests may take.
#[derive(Clone, Debug)]
pub struct Limits {
    /// How many may be answered at a time.
    pub max_requests: usize,
    /// How long one may take until its answer begins, its body not counted.
    pub request_timeout: Duration,
    /// How long the body of one may take to arrive.
    pub body_timeout: Duration,
    /// How many one caller may send in a second for long; none: as many as it likes.
    pub rate_per_s: Option<NonZeroU32>,
    /// How many at once.
    pub rate_burst: NonZeroU32,
    /// How often one name may be tried from one address in a minute; none: as often as it likes.
    pub sign_ins_per_min: Option<NonZeroU32>,
    /// Who is believed when it tells for whom it asks.
    pub trusted_proxies: Vec<IpNet>,
    /// The sites whose scripts may read answers.
    pub cors_origins: Vec<String>,
}

/// The limits, and how far they are used up.
#[derive(Debug)]
pub struct Edge {
    limits: Limits,
    places: Semaphore,
    rates: Rates,
}

impl Edge {
    /// With nobody there so far.
    pub fn new(limits: Limits) -> Self {
        Self {
            places: Semaphore::new(limits.max_requests),
            rates: Rates::new(&limits),
            limits,
        }
    }

    /// The limits.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }
}

/// Whether a route tells operators how the service is: that must be known when nothing else works.
fn is_for_operators(request: &Request) -> bool {
    let path = request.extensions().get::<MatchedPath>();
    path.is_some_and(|path| {
        let path = path.as_str();
        path.starts_with("/health/") || path == "/metrics/"
    })
}

/// Turns requests away while as many are being answered as may be, and gives up what has not begun to be
/// answered in time.
///
/// Its place is behind the reading of bodies: those who send theirs slowly take nobody's place.
pub async fn admit(shared: &Shared, request: Request, next: Next) -> Result<Response, Problem> {
    if is_for_operators(&request) {
        return Ok(next.run(request).await);
    }
    let Ok(_place) = shared.edge.places.try_acquire() else {
        let detail = "this process answers as many requests as it can; try again";
        return Err(refused(shared, Kind::Overloaded, detail));
    };
    let limit = shared.edge.limits.request_timeout;
    timeout(limit, next.run(request)).await.map_err(|_| {
        let detail = "no answer was found in time, and what was asked for may have been done; try again \
            with the same key";
        refused(shared, Kind::TimedOut, detail)
    })
}

fn refused(shared: &Shared, kind: Kind, detail: &str) -> Problem {
    shared.metrics.request_refused(kind.code());
    Problem::new(kind, detail).retry_after(1)
}
