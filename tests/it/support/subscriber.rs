//! A client of event streams that reads line by line.

use std::time::Duration;

use reqwest::{Method, Response};
use serde_json::Value;
use tokio::time::timeout;

use super::client::Client;

/// The limit for every wait.
const PATIENCE: Duration = Duration::from_secs(30);

/// A received event.
#[derive(Clone, Debug, PartialEq)]
pub struct ReceivedEvent {
    pub id: i64,
    pub code: String,
    pub data: Value,
}

/// An open stream.
pub struct Subscriber {
    /// The reconnection delay that the server announced, in milliseconds.
    pub retry_ms: Option<u64>,
    /// The number of received keep-alives.
    pub heartbeats: usize,
    response: Response,
    buffer: Vec<u8>,
}

/// An unsent request for a stream.
pub fn request(client: &Client, order_id: i64, last: Option<i64>) -> reqwest::RequestBuilder {
    let path = format!("/v1/orders/{order_id}/events");
    let request = client
        .request(Method::GET, &path)
        .header("accept", "text/event-stream");
    match last {
        Some(last) => request.header("last-event-id", last.to_string()),
        None => request,
    }
}

impl Subscriber {
    /// Opens a stream of an order, from the event after `last`.
    pub async fn start(client: &Client, order_id: i64, last: Option<i64>) -> Self {
        let response = request(client, order_id, last).send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        assert_eq!(response.headers()["x-accel-buffering"], "no");
        Self {
            retry_ms: None,
            heartbeats: 0,
            response,
            buffer: Vec::new(),
        }
    }

    /// The next event; `None` at the end of the stream.
    pub async fn next(&mut self) -> Option<ReceivedEvent> {
        let next = timeout(PATIENCE, self.next_event()).await;
        next.expect("neither an event nor the end")
    }

    async fn next_event(&mut self) -> Option<ReceivedEvent> {
        loop {
            let lines = self.block().await?;
            let field = |name: &str| {
                let found = lines.iter().find_map(|line| line.strip_prefix(name));
                found.map(|value| value.trim().to_owned())
            };
            if let Some(retry) = field("retry:") {
                self.retry_ms = Some(retry.parse().unwrap());
            }
            if lines.iter().any(|line| line.starts_with(':')) {
                self.heartbeats += 1;
            }
            if let Some(data) = field("data:") {
                return Some(ReceivedEvent {
                    id: field("id:").unwrap().parse().unwrap(),
                    code: field("event:").unwrap(),
                    data: serde_json::from_str(&data).unwrap(),
                });
            }
        }
    }

    /// Events up to one of this code.
    pub async fn until(&mut self, code: &str) -> Vec<ReceivedEvent> {
        let mut heard = Vec::new();
        while heard
            .last()
            .is_none_or(|event: &ReceivedEvent| event.code != code)
        {
            heard.push(self.next().await.expect("ended before"));
        }
        heard
    }

    /// Events up to the end of the stream.
    pub async fn rest(&mut self) -> Vec<ReceivedEvent> {
        let mut heard = Vec::new();
        while let Some(event) = self.next().await {
            heard.push(event);
        }
        heard
    }

    /// Waits for this many keep-alives.
    pub async fn heartbeats(&mut self, count: usize) {
        while self.heartbeats < count {
            let lines = self.block().await.expect("ended before");
            self.heartbeats += usize::from(lines.iter().any(|line| line.starts_with(':')));
        }
    }

    /// The lines up to the next empty line.
    async fn block(&mut self) -> Option<Vec<String>> {
        loop {
            let end = self.buffer.windows(2).position(|two| two == b"\n\n");
            if let Some(end) = end {
                let block: Vec<u8> = self.buffer.drain(..end + 2).collect();
                let text = String::from_utf8(block).unwrap();
                return Some(text.trim_end().lines().map(str::to_owned).collect());
            }
            let chunk = timeout(PATIENCE, self.response.chunk()).await;
            let chunk = chunk.expect("nothing came").ok().flatten();
            self.buffer.extend_from_slice(&chunk?);
        }
    }
}

/// The ids of events.
pub fn ids(heard: &[ReceivedEvent]) -> Vec<i64> {
    heard.iter().map(|event| event.id).collect()
}
