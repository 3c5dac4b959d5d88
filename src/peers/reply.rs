//! What came back from a peer, read whole.

use std::time::Duration;

use serde_json::Value;

use crate::json;

use super::answer::{CallFailure, PeerRejection};
use super::reason;

/// A reply that was read to its end.
pub(super) struct Reply {
    pub status: u16,
    pub retry_after: Option<Duration>,
    pub body: Vec<u8>,
}

impl Reply {
    /// The body as JSON; garbled JSON says nothing about what was done.
    pub fn json(&self) -> Result<Value, CallFailure> {
        json::read(&self.body).map_err(|_| self.trouble())
    }

    /// As [`Reply::json`], for calls whose yes needs no words.
    pub fn json_or_nothing(&self) -> Result<Value, CallFailure> {
        if self.body.is_empty() {
            return Ok(Value::Null);
        }
        self.json()
    }

    /// The peer's own words.
    pub fn words(&self) -> Option<String> {
        reason::of_body(&self.body)
    }

    /// This reply as a definite no.
    pub fn refusal(&self) -> PeerRejection {
        let words = self.words();
        PeerRejection::new(words.unwrap_or_else(|| format!("answered {}", self.status)))
    }

    /// This reply as something that cannot be told.
    pub fn trouble(&self) -> CallFailure {
        let what = match self.status {
            401 | 403 => "and refused our credentials",
            200..=299 => "without a clear outcome",
            _ => "",
        };
        let said = format!("answered {} {what}", self.status);
        let reason = match self.words() {
            Some(words) => format!("{}: {words}", said.trim_end()),
            None => said,
        };
        CallFailure {
            retry_after: self.retry_after,
            ..CallFailure::new(reason)
        }
    }
}
