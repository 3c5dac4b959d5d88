//! Parcel updates: the Shipping stand-in reports the status of parcels to the service.

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

/// Capacity of the queue of updates.
pub(super) const QUEUE_LENGTH: usize = 1000;

/// Timeout of one update.
const DEADLINE: Duration = Duration::from_secs(2);

/// The new status of an order's parcel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ParcelUpdate {
    order_id: i64,
    status: ParcelStatus,
}

impl ParcelUpdate {
    /// The update for this status, if the service knows it: its shipping status has shipped and delivered,
    /// and no statuses in between.
    pub fn of(order_id: i64, status: ParcelStatus) -> Option<Self> {
        matches!(status, ParcelStatus::Shipped | ParcelStatus::Delivered)
            .then_some(Self { order_id, status })
    }
}

/// Sends updates to the service, each of them once. Lost and repeated updates are harmless, because the
/// service also polls its parcels.
#[derive(Debug)]
pub(super) struct UpdateSender {
    client: Client,
    base: String,
    tokens: Tokens,
}

impl UpdateSender {
    /// A sender for the service at this URL.
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

    /// Sends all updates until the sandbox stops.
    pub async fn run(self, mut updates: mpsc::Receiver<ParcelUpdate>, stopping: CancellationToken) {
        let sending = async {
            while let Some(update) = updates.recv().await {
                if let Err(error) = self.send(update).await {
                    tracing::debug!(order_id = update.order_id, %error, "parcel update not delivered");
                }
            }
        };
        let _ = stopping.run_until_cancelled(sending).await;
    }

    async fn send(&self, update: ParcelUpdate) -> Result<(), String> {
        let url = format!("{}/v1/orders/{}/update/", self.base, update.order_id);
        let token = self
            .tokens
            .access(User::SERVICE)
            .map_err(|e| e.to_string())?;
        let request = self
            .client
            .patch(url)
            .bearer_auth(token)
            .json(&json!({ "shipping_status": update.status }));
        let response = request.send().await.map_err(|e| e.to_string())?;
        response.error_for_status().map_err(|e| e.to_string())?;
        Ok(())
    }
}
