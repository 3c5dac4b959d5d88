//! One HTTP round trip to a peer: headers, timeout, redirects, size limit.

use std::error::Error as _;
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::{Method, Response};
use serde::Serialize;
use tracing::Span;
use url::Url;

use super::call::{CallContext, PeerClient};
use super::outcome::CallFailure;
use super::pages::ListingCursor;
use super::response::PeerResponse;
use super::{redirect, retry_after};
use crate::telemetry;

/// The largest response body, in bytes.
const MAX_BODY_BYTES: usize = 256 * 1024;

impl PeerClient {
    /// POSTs `body` to `path`. The path is given as segments, which this method escapes.
    pub async fn post(
        &self,
        context: &CallContext<'_>,
        path: &[&str],
        body: &impl Serialize,
    ) -> Result<PeerResponse, CallFailure> {
        self.send(Method::POST, self.url(path)?, context, encode(body)?)
            .await
    }

    /// As [`PeerClient::post`], with a trailing slash, without which some servers redirect.
    pub async fn post_with_slash(
        &self,
        context: &CallContext<'_>,
        path: &[&str],
        body: &impl Serialize,
    ) -> Result<PeerResponse, CallFailure> {
        let mut url = self.url(path)?;
        let path = format!("{}/", url.path());
        url.set_path(&path);
        self.send(Method::POST, url, context, encode(body)?).await
    }

    /// PATCHes `path` with `body`.
    pub async fn patch(
        &self,
        context: &CallContext<'_>,
        path: &[&str],
        body: &impl Serialize,
    ) -> Result<PeerResponse, CallFailure> {
        self.send(Method::PATCH, self.url(path)?, context, encode(body)?)
            .await
    }

    /// GETs the records of one order below `path`.
    pub async fn get_by_order(
        &self,
        context: &CallContext<'_>,
        path: &[&str],
        order_id: impl ToString,
    ) -> Result<PeerResponse, CallFailure> {
        let mut url = self.url(path)?;
        url.query_pairs_mut()
            .append_pair("order_id", &order_id.to_string());
        self.send(Method::GET, url, context, Bytes::new()).await
    }

    /// GETs one page of the list at `path`.
    pub async fn get_page(
        &self,
        context: &CallContext<'_>,
        path: &[&str],
        cursor: &ListingCursor,
    ) -> Result<PeerResponse, CallFailure> {
        let mut url = self.url(path)?;
        url.set_query(Some(&cursor.query));
        self.send(Method::GET, url, context, Bytes::new()).await
    }

    /// GETs a URL of the peer.
    pub async fn get(
        &self,
        context: &CallContext<'_>,
        url: &Url,
    ) -> Result<PeerResponse, CallFailure> {
        self.send(Method::GET, url.clone(), context, Bytes::new())
            .await
    }

    fn url(&self, path: &[&str]) -> Result<Url, CallFailure> {
        // The URL parser would drop such a segment, and the path would lead to another resource.
        if path
            .iter()
            .any(|segment| matches!(*segment, "" | "." | ".."))
            || path
                .iter()
                .any(|segment| segment.contains(char::is_control))
        {
            return Err(CallFailure::new("an id does not fit into a path"));
        }
        let mut url = self.base.clone();
        url.path_segments_mut()
            .map_err(|()| CallFailure::new("the base URL cannot carry a path"))?
            .pop_if_empty()
            .extend(path);
        Ok(url)
    }

    async fn send(
        &self,
        method: Method,
        url: Url,
        context: &CallContext<'_>,
        body: Bytes,
    ) -> Result<PeerResponse, CallFailure> {
        let mut headers = headers(context, !body.is_empty())?;
        let span = Span::current();
        if !telemetry::continue_trace(&span, method.as_str(), &url, &mut headers) {
            add_traceparent(context, &mut headers);
        }
        // The outbound timeout covers connecting, redirects and the body.
        tokio::time::timeout(self.timeout, self.follow(method, url, headers, body))
            .await
            .unwrap_or_else(|_| {
                let waited = self.timeout.as_millis();
                Err(CallFailure::new(format!(
                    "no whole answer within {waited} ms"
                )))
            })
    }

    /// Sends the request and follows the redirects that [`redirect::next`] allows.
    async fn follow(
        &self,
        method: Method,
        mut url: Url,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<PeerResponse, CallFailure> {
        let mut hops = 0;
        loop {
            let response = self
                .client
                .request(method.clone(), url.clone())
                .headers(headers.clone())
                .body(body.clone())
                .send()
                .await
                .map_err(|error| connection_failure(&error, hops))?;
            let status = response.status().as_u16();
            Span::current().record("status", status);
            telemetry::record_status(&Span::current(), status);
            if !response.status().is_redirection() {
                return read(response).await;
            }
            hops += 1;
            url = redirect::next(&method, &url, &response, hops)?;
        }
    }
}

fn encode(body: &impl Serialize) -> Result<Bytes, CallFailure> {
    serde_json::to_vec(body)
        .map(Bytes::from)
        .map_err(|_| CallFailure::new("the request cannot be written as JSON"))
}

fn headers(context: &CallContext<'_>, has_body: bool) -> Result<HeaderMap, CallFailure> {
    let key = HeaderValue::from_str(context.idempotency_key)
        .map_err(|_| CallFailure::new("the idempotency key does not fit into a header"))?;

    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    if has_body {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    headers.insert(HeaderName::from_static("idempotency-key"), key);
    // The request id only helps to correlate logs, so a call without it is still good.
    if let Ok(value) = HeaderValue::from_str(context.request_id) {
        headers.insert(HeaderName::from_static("x-request-id"), value);
    }
    Ok(headers)
}

/// Adds `traceparent` although this process exports no traces, so that the peer's spans of the same
/// order belong to one trace.
fn add_traceparent(context: &CallContext<'_>, headers: &mut HeaderMap) {
    let trace_id = context.trace_id.simple();
    // The W3C specification makes an id of zeros invalid.
    let span_id = rand::random::<u64>().max(1);
    if let Ok(value) = HeaderValue::from_str(&format!("00-{trace_id}-{span_id:016x}-01")) {
        headers.insert(HeaderName::from_static("traceparent"), value);
    }
}

/// Reads a response to its end.
async fn read(mut response: Response) -> Result<PeerResponse, CallFailure> {
    let status = response.status().as_u16();
    let retry_after = requested_delay(&response);
    let failure = |what: &str| CallFailure {
        retry_after,
        ..CallFailure::new(format!("answered {status} {what}"))
    };
    let mut body = Vec::new();
    while let Some(chunk) = response
        .chunk()
        .await
        .map_err(|_| failure("and broke off in the middle of it"))?
    {
        if body.len() + chunk.len() > MAX_BODY_BYTES {
            return Err(failure("with more than 256 KiB"));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(PeerResponse {
        status,
        retry_after,
        body,
    })
}

/// The delay that an overloaded peer asks for.
fn requested_delay(response: &Response) -> Option<Duration> {
    if !matches!(response.status().as_u16(), 429 | 503) {
        return None;
    }
    let value = response.headers().get(RETRY_AFTER)?.to_str().ok()?;
    retry_after::parse(value, crate::clock::now().into())
}

/// Explains a round trip without a response. It quotes the innermost cause, which is the most specific
/// one and contains no URL: a URL may carry a password.
fn connection_failure(error: &reqwest::Error, hops: u32) -> CallFailure {
    let what = match (error.is_connect(), error.is_timeout()) {
        (true, true) => "connecting took too long",
        (true, false) => "could not connect",
        (false, _) => "the connection broke before an answer",
    };
    let mut cause = error.source();
    while let Some(deeper) = cause.and_then(|cause| cause.source()) {
        cause = Some(deeper);
    }
    let reason = match cause {
        Some(cause) => format!("{what}: {cause}"),
        None => what.to_owned(),
    };
    CallFailure {
        // Without a connection nothing arrives. After a redirect, the first server has the request.
        sent: !error.is_connect() || hops > 0,
        ..CallFailure::new(reason)
    }
}
