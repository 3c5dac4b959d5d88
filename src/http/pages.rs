//! What people look at: pages of HTML over the same use cases as the API, made from `templates/`. They
//! work without a script; `assets/` has a little for comfort.
//!
//! A page is asked for by a browser, which prefers HTML over JSON, and its reader is known by a cookie
//! ([`session`]). Whatever changes something is a form that proves where it comes from ([`forms`]).

use askama::Template;
use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::handler::Handler as _;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, LOCATION, REFERRER_POLICY, VARY,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;

use super::Shared;
use super::problem::{Kind, Problem, no_such_route};

mod accept;
mod assets;
mod cancel;
mod desk;
mod forms;
mod history;
mod order;
pub mod session;
mod shown;
mod sign_in;
mod words;

pub use forms::Forms;
pub use shown::problem;

use accept::prefers_html;
use session::Visitor;

/// Nothing runs, loads or frames a page but what the service itself serves.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
    connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// A customer's history, which is a page for browsers.
const HISTORY: &str = "/v1/orders/my-orders/{customer_id}/";
/// An order, which is a page for browsers, at each of its paths.
const ORDER: [&str; 3] = [
    "/v1/orders/{order_id}/details/",
    "/v1/orders/{order_id}/detail/",
    "/v1/orders/{order_id}/",
];
/// Below these nothing is a page but the two above.
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

/// The pages that are nothing else, for who is signed in.
pub fn routes(shared: &Shared) -> Router<Shared> {
    Router::new()
        .route(
            "/orders/{order_id}/cancel/",
            get(cancel::ask).post(cancel::cancel),
        )
        .route("/desk/", get(desk::desk))
        .route(
            "/desk/orders/{order_id}/",
            get(desk::show).post(desk::decide),
        )
        .route("/sign-out/", axum::routing::post(sign_in::sign_out))
        .route_layer(from_fn_with_state(shared.clone(), session::require))
}

/// The pages that are for anyone, and what all of them are made of.
pub fn open_routes() -> Router<Shared> {
    Router::new()
        .route("/", get(home))
        .route("/sign-in/", get(sign_in::ask).post(sign_in::sign_in))
        .route("/assets/{file}/", get(assets::serve))
}

/// Answers browsers with a page where the API has an answer for machines. A layer of the API's routes.
pub async fn negotiate(State(shared): State<Shared>, request: Request, next: Next) -> Response {
    let path = request.extensions().get::<MatchedPath>().cloned();
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
    let Some(path) = path.filter(|path| is_read && is_negotiated(path.as_str())) else {
        return next.run(request).await;
    };
    let mut response = if prefers_html(request.headers()) {
        // On the heap, lest what the API is asked for carry the room for it about.
        Box::pin(session::admit(&shared, request, async |request| {
            let shared = shared.clone();
            match path.as_str() {
                HISTORY => history::show.call(request, shared).await,
                _ => order::show.call(request, shared).await,
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

/// Whether what goes wrong with this request is told by a page: a browser's, at a page or at no path at
/// all.
pub fn are_asked(request: &Request) -> bool {
    let path = request.extensions().get::<MatchedPath>();
    let is_page = path.is_none_or(|path| {
        let path = path.as_str();
        is_negotiated(path) || !API.iter().any(|part| path.starts_with(part))
    });
    is_page && prefers_html(request.headers())
}

/// Leads a browser to what is its reader's.
async fn home(State(shared): State<Shared>, headers: HeaderMap, request: Request) -> Response {
    if !prefers_html(&headers) {
        return no_such_route().await.into_response();
    }
    session::admit(&shared, request, async |request| {
        match request.extensions().get::<Visitor>() {
            Some(visitor) => redirect(&visitor.home()),
            None => no_such_route().await.into_response(),
        }
    })
    .await
}

/// A page.
fn page(template: &impl Template) -> Response {
    match template.render() {
        Ok(text) => {
            let mut response = text.into_response();
            guard(response.headers_mut());
            response
        }
        Err(error) => {
            tracing::error!(error = &error as &dyn std::error::Error, "page not made");
            Problem::new(Kind::Internal, "an unexpected fault of ours; it was logged")
                .into_response()
        }
    }
}

/// Sends a browser elsewhere, to be asked for with GET.
fn redirect(path: &str) -> Response {
    let mut response = StatusCode::SEE_OTHER.into_response();
    let target = HeaderValue::from_str(path).unwrap_or(HeaderValue::from_static("/"));
    let headers = response.headers_mut();
    headers.insert(LOCATION, target);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    response
}

/// What every page tells browsers about itself.
fn guard(headers: &mut HeaderMap) {
    for (name, value) in [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "same-origin"),
        (CACHE_CONTROL, "private, no-store"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
}
