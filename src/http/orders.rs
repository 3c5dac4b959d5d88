//! The routes under `/v1/orders`.

use axum::Router;
use axum::routing::{get, post};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::state::HttpState;

mod cancel;
mod cart;
mod create;
mod details;
mod events;
mod export;
mod list;
mod my_orders;
mod params;
pub mod search;
mod tracking;
mod update;
mod views;

pub use cart::CURRENCY_CHARS;
pub use events::MAX_EVENTS;
pub use views::{OrderView, actions};

/// Every route, with its documentation.
pub fn routes() -> OpenApiRouter<HttpState> {
    OpenApiRouter::new()
        .routes(routes!(list::list_orders))
        .routes(routes!(export::export_orders))
        .routes(routes!(create::create_order))
        .routes(routes!(details::order_details))
        .routes(routes!(cancel::cancel_order))
        .routes(routes!(update::update_order))
        .routes(routes!(tracking::order_tracking))
        .routes(routes!(events::order_events))
        .routes(routes!(my_orders::my_orders))
}

/// Additional paths of operations: the paths that REST clients expect, and one that peer services use. The
/// OpenAPI document describes each as a copy of the first.
pub const ALIASES: [(&str, &str); 3] = [
    ("/v1/orders/create/", "/v1/orders/"),
    ("/v1/orders/{order_id}/details/", "/v1/orders/{order_id}/"),
    (
        "/v1/orders/{order_id}/details/",
        "/v1/orders/{order_id}/detail/",
    ),
];

/// The routes of [`ALIASES`].
pub fn aliases() -> Router<HttpState> {
    Router::new()
        .route("/v1/orders/", post(create::create_order))
        .route("/v1/orders/{order_id}/", get(details::order_details))
        .route("/v1/orders/{order_id}/detail/", get(details::order_details))
}
