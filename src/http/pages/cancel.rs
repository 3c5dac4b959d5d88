//! The cancellation of an order: a confirmation page and its form.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use crate::domain::ids::OrderId;
use crate::http::extract::PathOrder;
use crate::http::problem::Problem;
use crate::http::state::HttpState;
use crate::orders::{self, Expected};

use super::assets;
use super::forms::FormFields;
use super::order::{OrderViewModel, show_with_error};
use super::render::{page, redirect};
use super::visitor::Visitor;

#[derive(Template)]
#[template(path = "cancel.html")]
struct CancelPage {
    visitor: Option<Visitor>,
    order: OrderViewModel,
    has_changed: bool,
}

/// Asks for confirmation.
pub async fn confirm(
    State(state): State<HttpState>,
    visitor: Visitor,
    PathOrder(order_id): PathOrder,
) -> Result<Response, Problem> {
    confirmation(&state, visitor, order_id, false).await
}

async fn confirmation(
    state: &HttpState,
    visitor: Visitor,
    order_id: OrderId,
    has_changed: bool,
) -> Result<Response, Problem> {
    let order = state.orders.details(&visitor.principal, order_id).await?;
    let order = OrderViewModel::new(&order, &visitor);
    if !order.can_be_cancelled {
        let words = "This order cannot be cancelled in its current state.".to_owned();
        let error = (StatusCode::CONFLICT, words);
        return show_with_error(state, visitor, order_id, Some(error)).await;
    }
    let mut response = page(&CancelPage {
        visitor: Some(visitor),
        order,
        has_changed,
    });
    if has_changed {
        *response.status_mut() = StatusCode::PRECONDITION_FAILED;
    }
    Ok(response)
}

/// Cancels the order, if it is still at the version that the confirmation page showed.
pub async fn cancel(
    State(state): State<HttpState>,
    visitor: Visitor,
    PathOrder(order_id): PathOrder,
    fields: FormFields,
) -> Result<Response, Problem> {
    let versions = fields.get("version").parse().into_iter();
    let expected = Expected::OneOf(versions.collect());
    let caller = &visitor.principal;
    match state.orders.cancel(caller, order_id, None, expected).await {
        Ok(_) => Ok(redirect(&format!("/v1/orders/{order_id}/details/"))),
        Err(orders::Error::VersionMismatch { .. }) => {
            confirmation(&state, visitor, order_id, true).await
        }
        Err(orders::Error::StateConflict(conflict)) => {
            let words = format!("Nothing was changed: {conflict}.");
            let error = (StatusCode::CONFLICT, words);
            show_with_error(&state, visitor, order_id, Some(error)).await
        }
        Err(error) => Err(error.into()),
    }
}
