//! The edge towards clients: decode, call one use case, encode. Every route is registered here or in
//! `orders`, together with its documentation.

use std::sync::Arc;

use axum::Router;
use axum::extract::FromRef;
use axum::middleware::{from_fn, from_fn_with_state};
use secrecy::SecretString;
use tower::Layer as _;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::normalize_path::{NormalizePath, NormalizePathLayer};
use url::Url;
use utoipa::OpenApi as _;
use utoipa_axum::router::OpenApiRouter;

use crate::auth::{SignIn, Verifier};
use crate::metrics::Metrics;
use crate::orders::Orders;

mod access_log;
mod attention;
mod body;
mod caller;
mod cursor;
mod docs;
mod etag;
mod extract;
mod idempotency;
mod keys;
mod links;
mod ops;
mod orders;
mod pages;
mod problem;
mod query;

pub use cursor::Cursors;
pub use pages::Forms;
pub use problem::{Kind, Problem};

/// What handlers work with.
#[derive(Clone)]
pub struct Shared {
    /// The use cases.
    pub orders: Orders,
    /// Who calls.
    pub verifier: Arc<Verifier>,
    /// Who signs people in.
    pub users: Arc<dyn SignIn>,
    /// What the forms of the pages are proved with.
    pub forms: Arc<Forms>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Where lists go on.
    pub cursors: Arc<Cursors>,
    /// What `/metrics` asks for, if anything.
    pub metrics_token: Option<Arc<SecretString>>,
    /// How clients reach the service, where that is known.
    pub public_url: Option<Arc<Url>>,
    /// How often a silent stream of events sends a sign of life.
    pub heartbeat: std::time::Duration,
    /// Turns to `true` when the process is about to stop.
    pub stopping: tokio::sync::watch::Receiver<bool>,
}

impl FromRef<Shared> for Orders {
    fn from_ref(shared: &Shared) -> Self {
        shared.orders.clone()
    }
}

impl FromRef<Shared> for Arc<Cursors> {
    fn from_ref(shared: &Shared) -> Self {
        shared.cursors.clone()
    }
}

impl FromRef<Shared> for Arc<Verifier> {
    fn from_ref(shared: &Shared) -> Self {
        shared.verifier.clone()
    }
}

/// The document that describes every route.
pub fn openapi() -> utoipa::openapi::OpenApi {
    let routes: OpenApiRouter<Shared> = OpenApiRouter::with_openapi(docs::Document::openapi())
        .merge(orders::routes())
        .merge(attention::routes())
        .merge(ops::routes());
    docs::complete(routes.into_openapi())
}

/// The whole service. Paths answer with and without the slash at their end: inside, they all have
/// it.
pub fn service(shared: Shared) -> NormalizePath<Router> {
    let (orders, _) = orders::routes().split_for_parts();
    let (attention, _) = attention::routes().split_for_parts();
    let (ops, _) = ops::routes().split_for_parts();
    let guarded = orders
        .merge(attention)
        .merge(orders::aliases())
        .route_layer(from_fn_with_state(shared.clone(), caller::require))
        .route_layer(from_fn_with_state(shared.clone(), pages::negotiate));
    let router = guarded
        .merge(pages::routes(&shared))
        .merge(ops)
        .merge(docs::routes(&openapi()))
        .fallback(problem::no_such_route)
        .method_not_allowed_fallback(problem::no_such_method)
        .layer(CatchPanicLayer::custom(problem::from_panic))
        .layer(from_fn(extract::limit_body))
        .layer(from_fn_with_state(shared.clone(), access_log::observe))
        .with_state(shared);
    NormalizePathLayer::append_trailing_slash().layer(router)
}
