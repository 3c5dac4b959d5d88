//! Lists reservations.

use axum::extract::State;
use axum::response::Response;

use crate::hub::Hub;
use crate::incoming::Incoming;
use crate::operation::Operation;
use crate::pages::PageRequest;

/// `GET /v1/inventory/reservations`, in pages; an extension of the contract
pub(super) async fn list(
    State(hub): State<Hub>,
    page: PageRequest,
    incoming: Incoming,
) -> Response {
    hub.serve(Operation::ListReservations, incoming, move |state, _, _| {
        let rows = state.inventory.reservations(None);
        Ok(page.of("/v1/inventory/reservations", rows))
    })
    .await
}
