//! The HTTP interface: the routes of the API and the pages, and their middleware. A handler decodes the
//! request, calls one use case, and encodes the result.

use axum::Router;
use axum::extract::{Request, State};
use axum::handler::Handler as _;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use tower::Layer as _;
use tower::util::option_layer;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::normalize_path::{NormalizePath, NormalizePathLayer};
use utoipa::OpenApi as _;
use utoipa_axum::router::OpenApiRouter;

mod access_log;
mod attention;
mod authentication;
mod body;
mod caller;
mod csrf;
mod cursor;
mod docs;
mod edge;
mod etag;
mod extract;
mod headers;
mod idempotency;
mod links;
mod log_fields;
mod media_type;
mod ops;
mod orders;
mod pages;
mod problem;
mod query;
mod session;
mod state;

pub use cursor::Cursors;
pub use edge::{Edge, RequestLimits};
pub use problem::{Problem, ProblemKind};
pub use state::{Dependencies, HttpState};

/// The OpenAPI document of the API.
pub fn openapi() -> utoipa::openapi::OpenApi {
    let routes: OpenApiRouter<HttpState> =
        OpenApiRouter::with_openapi(docs::ApiDocument::openapi())
            .merge(orders::routes())
            .merge(attention::routes())
            .merge(ops::routes());
    docs::complete(routes.into_openapi(), &orders::ALIASES)
}

/// The whole service. Paths match with and without a trailing slash: the middleware appends it, and the
/// routes have it.
pub fn service(state: HttpState) -> NormalizePath<Router> {
    let (orders, _) = orders::routes().split_for_parts();
    let (attention, _) = attention::routes().split_for_parts();
    let by_address = from_fn_with_state(state.clone(), edge::rate_limit::by_address);
    let csrf = (
        csrf::csrf_layer(state.public_url.as_deref()),
        from_fn_with_state(state.clone(), csrf::require_secure_origin),
    );
    let authenticated = orders
        .merge(attention)
        .merge(orders::aliases())
        .route_layer((
            from_fn_with_state(state.clone(), pages::negotiate),
            from_fn_with_state(state.clone(), authentication::require_token),
        ));
    let signed_in = pages::routes().route_layer((
        from_fn_with_state(state.clone(), pages::require_visitor),
        csrf.clone(),
    ));
    let open = pages::open_routes()
        .route_layer(csrf)
        .merge(docs::routes(&openapi()))
        .route_layer(by_address.clone());
    let ops = if state.has_metrics_port {
        ops::health_routes()
    } else {
        ops::routes()
    };
    let router = authenticated
        .merge(signed_in)
        .merge(open)
        .merge(ops.split_for_parts().0)
        .fallback(problem::no_such_route.layer(by_address.clone()))
        .method_not_allowed_fallback(problem::no_such_method.layer(by_address));
    layered(router, state)
}

/// Health and metrics only, for the separate port of operators.
pub fn operators_service(state: HttpState) -> NormalizePath<Router> {
    let (ops, _) = ops::routes().split_for_parts();
    let router = ops
        .fallback(problem::no_such_route)
        .method_not_allowed_fallback(problem::no_such_method);
    layered(router, state)
}

/// Adds the middleware of all requests, outermost first. One call adds them all, because each separate
/// layer would clone the ones below it for every request.
fn layered(router: Router<HttpState>, state: HttpState) -> NormalizePath<Router> {
    let router = router
        .layer((
            edge::compression(),
            from_fn_with_state(state.clone(), observe),
            option_layer(edge::cors(&state.edge.limits().cors_origins)),
            from_fn_with_state(state.clone(), edge::load_shedding::admit),
            CatchPanicLayer::custom(problem::from_panic),
        ))
        .with_state(state);
    NormalizePathLayer::append_trailing_slash().layer(router)
}

/// Writes the access log and adds the security headers.
async fn observe(State(state): State<HttpState>, request: Request, next: Next) -> Response {
    let headers = edge::SecurityHeaders::for_request(&request, state.is_https());
    let mut response = access_log::observe(&state.metrics, request, next).await;
    headers.add_to(response.headers_mut());
    response
}
