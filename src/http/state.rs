//! The state that handlers and middleware share.

use std::net::IpAddr;
use std::ops::Deref;
use std::sync::Arc;

use axum::extract::FromRef;
use axum::http::{Extensions, HeaderMap};
use secrecy::SecretString;
use url::Url;

use crate::auth::{SignIn, Verifier};
use crate::metrics::Metrics;
use crate::orders::Orders;

use super::cursor::Cursors;
use super::edge::Edge;

/// The state of the router. Cloning it only increments a reference count, because every layer clones it
/// for every request.
#[derive(Clone)]
pub struct HttpState(Arc<Dependencies>);

/// The dependencies of handlers and middleware.
pub struct Dependencies {
    /// The use cases.
    pub orders: Orders,
    /// Verifies access tokens.
    pub verifier: Arc<Verifier>,
    /// Signs users in at UserService.
    pub users: Arc<dyn SignIn>,
    /// The metrics of the process.
    pub metrics: Arc<Metrics>,
    /// Limits and rate limiters.
    pub edge: Arc<Edge>,
    /// Signs and verifies the cursors of keyset pagination.
    pub cursors: Arc<Cursors>,
    /// Whether `/metrics` is served at a port of its own.
    pub has_metrics_port: bool,
    /// The bearer token that `/metrics` requires, if any.
    pub metrics_token: Option<Arc<SecretString>>,
    /// The URL at which clients reach the service, if configured.
    pub public_url: Option<Arc<Url>>,
    /// How often an idle event stream sends a keep-alive comment.
    pub heartbeat: std::time::Duration,
    /// Becomes `true` when shutdown begins.
    pub stopping: tokio::sync::watch::Receiver<bool>,
}

impl From<Dependencies> for HttpState {
    fn from(dependencies: Dependencies) -> Self {
        Self(Arc::new(dependencies))
    }
}

impl Deref for HttpState {
    type Target = Dependencies;

    fn deref(&self) -> &Dependencies {
        &self.0
    }
}

impl HttpState {
    /// The address of the client that sent a request.
    pub fn client_address(&self, extensions: &Extensions, headers: &HeaderMap) -> IpAddr {
        self.edge.client_address(extensions, headers)
    }

    /// Whether clients reach the service over TLS.
    pub fn is_https(&self) -> bool {
        self.public_url
            .as_ref()
            .is_some_and(|url| url.scheme() == "https")
    }
}

impl FromRef<HttpState> for Orders {
    fn from_ref(state: &HttpState) -> Self {
        state.orders.clone()
    }
}

impl FromRef<HttpState> for Arc<Cursors> {
    fn from_ref(state: &HttpState) -> Self {
        state.cursors.clone()
    }
}

impl FromRef<HttpState> for Arc<Edge> {
    fn from_ref(state: &HttpState) -> Self {
        state.edge.clone()
    }
}
