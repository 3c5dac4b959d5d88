//! The HTML pages: the same use cases as the API, rendered from `templates/`. They work without scripts;
//! the scripts in `assets/` add live updates.
//!
//! Content negotiation gives browsers, which prefer HTML over JSON, a page at some API paths. The
//! session cookie identifies the visitor, and the CSRF middleware protects forms.

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::handler::Handler as _;
use axum::http::header::VARY;
use axum::http::{HeaderMap, HeaderValue, Method};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;

use super::media_type::prefers_html;
use super::problem::no_such_route;
use super::state::HttpState;

mod assets;
mod cancel;
mod desk;
mod desk_order;
mod display;
mod forms;
mod history;
mod list;
mod order;
mod problem;
mod render;
mod sign_in;
mod visitor;

pub use problem::render_problem;
pub use visitor::require_visitor;

use render::redirect;
use visitor::Visitor;

/// The history of a customer, which is a page for browsers.
const HISTORY: &str = "/v1/orders/my-orders/{customer_id}/";
/// The paths of an order, which is a page for browsers.
const ORDER: [&str; 3] = [
    "/v1/orders/{order_id}/details/",
    "/v1/orders/{order_id}/detail/",
    "/v1/orders/{order_id}/",
];
/// The prefixes of the API, where only the negotiated paths are pages.
const API: [&str; 5] = [
    "/v1/",
    "/health/",
    "/metrics/",
    "/orders-doc/",
    "/problems/",
];

/// Whether a path of the API is a page for browsers.
pub fn is_negotiated(path: &str) -> bool {
    path == HISTORY || ORDER.contains(&path)
}

/// The pages that require a session.
pub fn routes() -> Router<HttpState> {
    Router::new()
        .route(
            "/orders/{order_id}/cancel/",
            get(cancel::confirm).post(cancel::cancel),
        )
        .route("/desk/", get(desk::desk))
        .route(
            "/desk/orders/{order_id}/",
            get(desk_order::show).post(desk_order::decide),
        )
        .route("/sign-out/", axum::routing::post(sign_in::sign_out))
}

/// The public pages and the assets.
pub fn open_routes() -> Router<HttpState> {
    Router::new()
        .route("/", get(home))
        .route("/sign-in/", get(sign_in::form).post(sign_in::sign_in))
        .route("/assets/{file}/", get(assets::serve))
}

/// Content negotiation: the middleware that answers browsers with a page instead of JSON.
pub async fn negotiate(State(state): State<HttpState>, request: Request, next: Next) -> Response {
    let path = request.extensions().get::<MatchedPath>().cloned();
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
    let Some(path) = path.filter(|path| is_read && is_negotiated(path.as_str())) else {
        return next.run(request).await;
    };
    let mut response = if prefers_html(request.headers()) {
        // Boxed, so that the futures of API requests need no room for it.
        Box::pin(visitor::admit(&state, request, async |request| {
            let state = state.clone();
            match path.as_str() {
                HISTORY => history::show.call(request, state).await,
                _ => order::show.call(request, state).await,
            }
        }))
        .await
    } else {
        next.run(request).await
    };
    let vary = HeaderValue::from_static("accept");
    response.headers_mut().append(VARY, vary);
    response
}

/// Whether a problem with this request is shown as a page: to browsers, at pages and at unknown paths.
pub fn answers_with_page(request: &Request) -> bool {
    let path = request.extensions().get::<MatchedPath>();
    let is_page = path.is_none_or(|path| {
        let path = path.as_str();
        is_negotiated(path) || !API.iter().any(|part| path.starts_with(part))
    });
    is_page && prefers_html(request.headers())
}

/// Redirects a browser to the visitor's home page.
async fn home(State(state): State<HttpState>, headers: HeaderMap, request: Request) -> Response {
    if !prefers_html(&headers) {
        return no_such_route().await.into_response();
    }
    visitor::admit(&state, request, async |request| {
        match request.extensions().get::<Visitor>() {
            Some(visitor) => redirect(&visitor.home()),
            None => no_such_route().await.into_response(),
        }
    })
    .await
}
