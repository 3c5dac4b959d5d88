//! The edge towards clients: decode, call one use case, encode. Every route is registered here or in
//! `orders`, together with its documentation.

use std::net::IpAddr;
use std::ops::Deref;
use std::sync::Arc;

use axum::Router;
use axum::extract::{FromRef, Request, State};
use axum::handler::Handler as _;
use axum::http::{Extensions, HeaderMap};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use secrecy::SecretString;
use tower::Layer as _;
use tower::util::option_layer;
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
mod edge;
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
pub use edge::{Edge, Limits};
pub use pages::Forms;
pub use problem::{Kind, Problem};

/// What handlers work with. Cloning it is one count, since each layer of each request does that.
#[derive(Clone)]
pub struct Shared(Arc<Parts>);

impl From<Parts> for Shared {
    fn from(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }
}

impl Deref for Shared {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

/// What is shared by all handlers.
pub struct Parts {
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
    /// What requests may take.
    pub edge: Arc<Edge>,
    /// Where lists go on.
    pub cursors: Arc<Cursors>,
    /// Whether `/metrics` has a port of its own.
    pub has_metrics_port: bool,
    /// What `/metrics` asks for, if anything.
    pub metrics_token: Option<Arc<SecretString>>,
    /// How clients reach the service, where that is known.
    pub public_url: Option<Arc<Url>>,
    /// How often a silent stream of events sends a sign of life.
    pub heartbeat: std::time::Duration,
    /// Turns to `true` when the process is about to stop.
    pub stopping: tokio::sync::watch::Receiver<bool>,
}

impl Shared {
    /// The address of a request's client.
    fn client_of(&self, extensions: &Extensions, headers: &HeaderMap) -> IpAddr {
        let trusted = &self.edge.limits().trusted_proxies;
        edge::client::address(extensions, headers, trusted)
    }
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
    let by_address = from_fn_with_state(shared.clone(), edge::rate::by_address);
    let guarded = orders
        .merge(attention)
        .merge(orders::aliases())
        .route_layer((
            from_fn_with_state(shared.clone(), pages::negotiate),
            from_fn_with_state(shared.clone(), caller::require),
        ));
    let open = pages::open_routes()
        .merge(docs::routes(&openapi()))
        .route_layer(by_address.clone());
    let ops = if shared.has_metrics_port {
        ops::health_routes()
    } else {
        ops::routes()
    };
    let router = guarded
        .merge(pages::routes(&shared))
        .merge(open)
        .merge(ops.split_for_parts().0)
        .fallback(problem::no_such_route.layer(by_address.clone()))
        .method_not_allowed_fallback(problem::no_such_method.layer(by_address));
    layered(router, shared)
}

/// What operators' machines ask, for a port of its own.
pub fn operators_service(shared: Shared) -> NormalizePath<Router> {
    let (ops, _) = ops::routes().split_for_parts();
    let router = ops
        .fallback(problem::no_such_route)
        .method_not_allowed_fallback(problem::no_such_method);
    layered(router, shared)
}

/// Adds what every request meets, the first one first. All at once: a layer that is added on its own has
/// each request clone all that lie below it.
fn layered(router: Router<Shared>, shared: Shared) -> NormalizePath<Router> {
    let router = router
        .layer((
            edge::compression(),
            from_fn_with_state(shared.clone(), answer),
            option_layer(edge::cors(&shared.edge.limits().cors_origins)),
            from_fn_with_state(shared.clone(), take_in),
            CatchPanicLayer::custom(problem::from_panic),
        ))
        .with_state(shared);
    NormalizePathLayer::append_trailing_slash().layer(router)
}

/// Answers a request, whatever it is, and writes down how that went.
async fn answer(State(shared): State<Shared>, request: Request, next: Next) -> Response {
    let guard = edge::Guard::of(&request);
    let mut response = access_log::observe(&shared, request, next).await;
    guard.mark(&shared, response.headers_mut());
    response
}

/// Takes a request in, body and all, unless it is too large, too slow, or one too many.
async fn take_in(
    State(shared): State<Shared>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let request = extract::read_body(&shared, request).await?;
    edge::admit(&shared, request, next).await
}
