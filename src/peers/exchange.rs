//! One request and its reply: headers, deadline, redirects, size cap.

use std::error::Error as _;
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::{Method, Response};
use serde::Serialize;
use tracing::Span;
use url::Url;

use super::answer::CallFailure;
use super::call::{CallContext, Peer};
use super::pages::ListingCursor;
use super::reply::Reply;
use super::{redirect, retry_after};
use crate::telemetry;

/// The largest body that is read.
const MAX_BODY: usize = 256 * 1024;

impl Peer {
    /// Sends `body` to `path`, given as segments that are escaped here.
    pub async fn post(
        &self,
        tag: &CallContext<'_>,
        path: &[&str],
        body: &impl Serialize,
    ) -> Result<Reply, CallFailure> {
        self.send(Method::POST, self.url(path)?, tag, encode(body)?)
            .await
    }

    /// As [`Peer::post`], to a path with a slash at its end, without which some servers redirect.
    pub async fn post_with_slash(
        &self,
        tag: &CallContext<'_>,
        path: &[&str],
        body: &impl Serialize,
    ) -> Result<Reply, CallFailure> {
        let mut url = self.url(path)?;
        let path = format!("{}/", url.path());
        url.set_path(&path);
        self.send(Method::POST, url, tag, encode(body)?).await
    }

    /// As [`Peer::post`], to change a part.
    pub async fn patch(
        &self,
        tag: &CallContext<'_>,
        path: &[&str],
        body: &impl Serialize,
    ) -> Result<Reply, CallFailure> {
        self.send(Method::PATCH, self.url(path)?, tag, encode(body)?)
            .await
    }

    /// Asks for what `path` has about one order.
    pub async fn get_by_order(
        &self,
        tag: &CallContext<'_>,
        path: &[&str],
        order_id: impl ToString,
    ) -> Result<Reply, CallFailure> {
        let mut url = self.url(path)?;
        url.query_pairs_mut()
            .append_pair("order_id", &order_id.to_string());
        self.send(Method::GET, url, tag, Bytes::new()).await
    }

    /// Asks for a page of what `path` has.
    pub async fn get_page(
        &self,
        tag: &CallContext<'_>,
        path: &[&str],
        at: &ListingCursor,
    ) -> Result<Reply, CallFailure> {
        let mut url = self.url(path)?;
        url.set_query(Some(&at.query));
        self.send(Method::GET, url, tag, Bytes::new()).await
    }

    /// Asks for what is at a URL of the peer.
    pub async fn get(&self, tag: &CallContext<'_>, url: &Url) -> Result<Reply, CallFailure> {
        self.send(Method::GET, url.clone(), tag, Bytes::new()).await
    }

    fn url(&self, path: &[&str]) -> Result<Url, CallFailure> {
        // Such a segment would vanish from the path and lead to another resource.
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
        tag: &CallContext<'_>,
        body: Bytes,
    ) -> Result<Reply, CallFailure> {
        let mut headers = headers(tag, !body.is_empty())?;
        let span = Span::current();
        if !telemetry::continue_trace(&span, method.as_str(), &url, &mut headers) {
            name_trace(tag, &mut headers);
        }
        tokio::time::timeout(self.timeout, self.follow(method, url, headers, body))
            .await
            .unwrap_or_else(|_| {
                let waited = self.timeout.as_millis();
                Err(CallFailure::new(format!(
                    "no whole answer within {waited} ms"
                )))
            })
    }

    async fn follow(
        &self,
        method: Method,
        mut url: Url,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<Reply, CallFailure> {
        let mut hops = 0;
        loop {
            let response = self
                .client
                .request(method.clone(), url.clone())
                .headers(headers.clone())
                .body(body.clone())
                .send()
                .await
                .map_err(|error| broken(&error, hops))?;
            let status = response.status().as_u16();
            Span::current().record("status", status);
            telemetry::answered(&Span::current(), status);
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

fn headers(tag: &CallContext<'_>, has_body: bool) -> Result<HeaderMap, CallFailure> {
    let key = HeaderValue::from_str(tag.idempotency_key)
        .map_err(|_| CallFailure::new("the idempotency key does not fit into a header"))?;

    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    if has_body {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    headers.insert(HeaderName::from_static("idempotency-key"), key);
    // It only helps to find the call again; without it it is as good.
    if let Ok(value) = HeaderValue::from_str(tag.request_id) {
        headers.insert(HeaderName::from_static("x-request-id"), value);
    }
    Ok(headers)
}

/// Names the trace to the peer although we keep none: its spans of the same order then belong together.
fn name_trace(tag: &CallContext<'_>, headers: &mut HeaderMap) {
    let trace_id = tag.trace_id.simple();
    // All zeros would be no span at all.
    let span_id = rand::random::<u64>().max(1);
    if let Ok(value) = HeaderValue::from_str(&format!("00-{trace_id}-{span_id:016x}-01")) {
        headers.insert(HeaderName::from_static("traceparent"), value);
    }
}

async fn read(mut response: Response) -> Result<Reply, CallFailure> {
    let status = response.status().as_u16();
    let retry_after = wait_asked_for(&response);
    let trouble = |what: &str| CallFailure {
        retry_after,
        ..CallFailure::new(format!("answered {status} {what}"))
    };
    let mut body = Vec::new();
    while let Some(chunk) = response
        .chunk()
        .await
        .map_err(|_| trouble("and broke off in the middle of it"))?
    {
        if body.len() + chunk.len() > MAX_BODY {
            return Err(trouble("with more than 256 KiB"));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Reply {
        status,
        retry_after,
        body,
    })
}

fn wait_asked_for(response: &Response) -> Option<Duration> {
    if !matches!(response.status().as_u16(), 429 | 503) {
        return None;
    }
    let value = response.headers().get(RETRY_AFTER)?.to_str().ok()?;
    retry_after::parse(value, crate::clock::now().into())
}

/// Says why there is no reply. The innermost cause is the telling one, and names no URL, which may
/// carry a password.
fn broken(error: &reqwest::Error, hops: u32) -> CallFailure {
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
        // Without a connection nothing arrives; after a redirect something has.
        sent: !error.is_connect() || hops > 0,
        ..CallFailure::new(reason)
    }
}
