//! What is held, and what became of it.

use axum::extract::State;
use axum::response::Response;

use crate::desk::Desk;
use crate::incoming::Incoming;
use crate::operation::Operation;
use crate::pages::Page;

/// `GET /v1/inventory/reservations`, in pages; an extension of the contract
pub(super) async fn list(State(desk): State<Desk>, page: Page, incoming: Incoming) -> Response {
    desk.serve(Operation::ListReservations, incoming, move |world, _, _| {
        let rows = world.inventory.reservations(None);
        Ok(page.of("/v1/inventory/reservations", rows))
    })
    .await
}
