//! Parcel news: what the shipping stand-in tells the service about an order's parcel.

use std::time::Duration;

use reqwest::Client;
use reqwest::redirect::Policy;
use serde_json::json;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::Error;
use super::shipping::ParcelStatus;
use super::tokens::{Tokens, User};

/// How much news may wait to be told.
pub(super) const QUEUE_LENGTH: usize = 1000;

/// How long telling one piece may take.
const DEADLINE: Duration = Duration::from_secs(2);

/// That an order's parcel got somewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ParcelUpdate {
    order_id: i64,
    status: ParcelStatus,
}

impl ParcelUpdate {
    /// ParcelUpdate for the order, if it has a word for this status: its shipping status knows
    /// shipped and delivered, not every station between.
    pub fn of(order_id: i64, status: ParcelStatus) -> Option<Self> {
        matches!(status, ParcelStatus::Shipped | ParcelStatus::Delivered)
            .then_some(Self { order_id, status })
    }
}

/// Tells the service. Each piece is tried once: repeats and gaps are harmless, since the
/// service follows its parcels by itself too.
#[derive(Debug)]
pub(super) struct UpdateSender {
    client: Client,
    base: String,
    tokens: Tokens,
}

impl UpdateSender {
    /// Reports to the service at this address.
    pub fn new(base: Url, tokens: Tokens) -> Result<Self, Error> {
        let client = Client::builder()
            .timeout(DEADLINE)
            .redirect(Policy::none())
            .no_proxy()
            .build()?;
        let base = base.as_str().trim_end_matches('/').to_owned();
        Ok(Self {
            client,
            base,
            tokens,
        })
    }

    /// Tell all news until the sandbox stops.
    pub async fn run(self, mut news: mpsc::Receiver<ParcelUpdate>, stopping: CancellationToken) {
        let telling = async {
            while let Some(one) = news.recv().await {
                if let Err(error) = self.tell(one).await {
                    tracing::debug!(order_id = one.order_id, %error, "parcel news not told");
                }
            }
        };
        let _ = stopping.run_until_cancelled(telling).await;
    }

    async fn tell(&self, news: ParcelUpdate) -> Result<(), String> {
        let url = format!("{}/v1/orders/{}/update/", self.base, news.order_id);
        let token = self
            .tokens
            .access(User::SERVICE)
            .map_err(|e| e.to_string())?;
        let request = self
            .client
            .patch(url)
            .bearer_auth(token)
            .json(&json!({ "shipping_status": news.status }));
        let response = request.send().await.map_err(|e| e.to_string())?;
        response.error_for_status().map_err(|e| e.to_string())?;
        Ok(())
    }
}
