//! A peer's response, read to its end.

use std::time::Duration;

use serde_json::Value;

use crate::json;

use super::error_message;
use super::outcome::{CallFailure, PeerRejection};

/// A complete response.
pub(super) struct PeerResponse {
    pub status: u16,
    pub retry_after: Option<Duration>,
    pub body: Vec<u8>,
}

impl PeerResponse {
    /// The body as JSON. After invalid JSON the effect of the request is in doubt.
    pub fn json(&self) -> Result<Value, CallFailure> {
        json::read(&self.body).map_err(|_| self.failure())
    }

    /// As [`PeerResponse::json`], but an empty body is `null`.
    pub fn json_or_nothing(&self) -> Result<Value, CallFailure> {
        if self.body.is_empty() {
            return Ok(Value::Null);
        }
        self.json()
    }

    /// The peer's own message, if the body has one; an HTML page has none.
    pub fn message(&self) -> Option<String> {
        error_message::read(&self.body)
    }

    /// Whether the body is an HTML page.
    pub fn is_html(&self) -> bool {
        error_message::is_html(&self.body)
    }

    /// This response as a definite no.
    pub fn rejection(&self) -> PeerRejection {
        let answered = || format!("answered {}", self.status);
        PeerRejection::new(self.message().unwrap_or_else(answered))
    }

    /// This response as a retryable failure, because it does not say what the peer did.
    pub fn failure(&self) -> CallFailure {
        let what = match self.status {
            401 | 403 => "and refused our credentials",
            200..=299 => "without a clear outcome",
            _ => "",
        };
        let said = format!("answered {} {what}", self.status);
        let reason = match self.message() {
            Some(message) => format!("{}: {message}", said.trim_end()),
            None if self.is_html() => {
                format!("{}: an HTML page", said.trim_end())
            }
            None => said,
        };
        CallFailure {
            retry_after: self.retry_after,
            ..CallFailure::new(reason)
        }
    }
}
