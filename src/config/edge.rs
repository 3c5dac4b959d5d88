//! The limits of connections and requests.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use ipnet::IpNet;
use url::Url;

use crate::{http, server};

use super::{SettingsReader, milliseconds};

/// Reads the limits of connections.
pub(super) fn connection_limits(
    reader: &mut SettingsReader<'_>,
) -> Option<server::ConnectionLimits> {
    let max_connections = reader.number("MAX_CONNECTIONS", 1..=1_000_000);
    let header_timeout = milliseconds(reader, "HEADER_TIMEOUT_MS", 10..=600_000);
    let keep_alive = milliseconds(reader, "KEEP_ALIVE_MS", 10..=3_600_000);
    let write_timeout = milliseconds(reader, "WRITE_TIMEOUT_MS", 10..=600_000);
    Some(server::ConnectionLimits {
        max_connections: usize::try_from(max_connections?).ok()?,
        header_timeout: header_timeout?,
        keep_alive: keep_alive?,
        write_timeout: write_timeout?,
    })
}

/// Reads the limits of requests. Their timeout must exceed the wait for an order to settle.
pub(super) fn request_limits(
    reader: &mut SettingsReader<'_>,
    settle_wait: Option<Duration>,
) -> Option<http::RequestLimits> {
    let max_requests = reader.number("MAX_REQUESTS", 1..=1_000_000);
    let request_timeout = milliseconds(reader, "REQUEST_TIMEOUT_MS", 10..=600_000);
    let body_timeout = milliseconds(reader, "BODY_TIMEOUT_MS", 10..=600_000);
    let rate_per_s = count(reader, "RATE_LIMIT_PER_S", 0..=1_000_000);
    let rate_burst = count(reader, "RATE_LIMIT_BURST", 1..=1_000_000);
    let sign_ins_per_min = count(reader, "SIGN_IN_LIMIT_PER_MIN", 0..=1_000_000);
    let trusted_proxies = list(reader, "TRUSTED_PROXIES", network);
    let cors_origins = list(reader, "CORS_ORIGINS", origin);
    if let (Some(request), Some(settle)) = (request_timeout, settle_wait)
        && request <= settle
    {
        reader.reject("REQUEST_TIMEOUT_MS", "must be more than SETTLE_WAIT_MS");
    }
    Some(http::RequestLimits {
        max_requests: usize::try_from(max_requests?).ok()?,
        request_timeout: request_timeout?,
        body_timeout: body_timeout?,
        rate_per_s: NonZeroU32::new(rate_per_s?),
        rate_burst: NonZeroU32::new(rate_burst?)?,
        sign_ins_per_min: NonZeroU32::new(sign_ins_per_min?),
        trusted_proxies: trusted_proxies?,
        cors_origins: cors_origins?,
    })
}

/// Reads the port of the metrics, if they have one of their own.
pub(super) fn metrics_port(reader: &mut SettingsReader<'_>) -> Option<u16> {
    let text = reader.text("METRICS_PORT")?;
    let port = text.parse().ok();
    if port.is_none() {
        reader.reject("METRICS_PORT", "must be a whole number from 0 to 65535");
    }
    port
}

fn count(
    reader: &mut SettingsReader<'_>,
    name: &'static str,
    bounds: std::ops::RangeInclusive<u64>,
) -> Option<u32> {
    let number = reader.number(name, bounds)?;
    u32::try_from(number).ok()
}

/// A comma-separated list; empty if the variable is not set.
fn list<T>(
    reader: &mut SettingsReader<'_>,
    name: &'static str,
    parse: impl Fn(&str) -> Result<T, &'static str>,
) -> Option<Vec<T>> {
    let text = reader.text(name).unwrap_or_default();
    let entries = text
        .split(',')
        .map(str::trim)
        .filter(|entry| !entry.is_empty());
    let parsed = entries.map(parse).collect::<Result<_, _>>();
    parsed.map_err(|fault| reader.reject(name, fault)).ok()
}

fn network(text: &str) -> Result<IpNet, &'static str> {
    let net = text.parse::<IpNet>().ok();
    net.or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
        .ok_or("must be addresses or networks such as 10.0.0.0/8, separated by commas")
}

/// An origin in the form of browsers: scheme, host, and the port unless it is the default one.
fn origin(text: &str) -> Result<String, &'static str> {
    Url::parse(text)
        .ok()
        .filter(|url| matches!(url.scheme(), "http" | "https"))
        .map(|url| url.origin().ascii_serialization())
        .filter(|origin| origin == text)
        .ok_or("must be origins such as https://shop.example, separated by commas")
}
