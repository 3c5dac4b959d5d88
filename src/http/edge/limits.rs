//! The configured limits of requests.

use std::num::NonZeroU32;
use std::time::Duration;

use ipnet::IpNet;

/// The limits of requests.
#[derive(Clone, Debug)]
pub struct RequestLimits {
    /// The maximum number of requests in progress.
    pub max_requests: usize,
    /// The maximum time until the response begins, after the request body has arrived.
    pub request_timeout: Duration,
    /// The maximum time for a request body to arrive.
    pub body_timeout: Duration,
    /// The sustained request rate of one caller, per second; `None` for no limit.
    pub rate_per_s: Option<NonZeroU32>,
    /// The number of requests that one caller may send in a burst.
    pub rate_burst: NonZeroU32,
    /// The number of sign-in attempts per minute, user name and address; `None` for no limit.
    pub sign_ins_per_min: Option<NonZeroU32>,
    /// The proxies whose `X-Forwarded-For` header is trusted.
    pub trusted_proxies: Vec<IpNet>,
    /// The origins whose scripts may read responses (CORS).
    pub cors_origins: Vec<String>,
}
