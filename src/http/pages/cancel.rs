//! Calling an order off: asked once more, then done.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use crate::domain::ids::OrderId;
use crate::http::Shared;
use crate::http::extract::PathOrder;
use crate::http::problem::Problem;
use crate::orders::{Error, Expected};

use super::forms::Form;
use super::order::{OrderShown, shown, with_trouble};
use super::session::Visitor;
use super::{assets, page, redirect};

#[derive(Template)]
#[template(path = "cancel.html")]
struct Page {
    visitor: Option<Visitor>,
    proof: String,
    order: OrderShown,
    has_changed: bool,
}

/// Asks whether it is meant.
pub async fn ask(
    State(shared): State<Shared>,
    visitor: Visitor,
    PathOrder(order_id): PathOrder,
) -> Result<Response, Problem> {
    confirm(&shared, visitor, order_id, false).await
}

async fn confirm(
    shared: &Shared,
    visitor: Visitor,
    order_id: OrderId,
    has_changed: bool,
) -> Result<Response, Problem> {
    let order = shared.orders.details(&visitor.principal, order_id).await?;
    let order = shown(&order, &visitor);
    if !order.can_be_cancelled {
        let words = "This order cannot be cancelled as it now stands.".to_owned();
        let trouble = Some((StatusCode::CONFLICT, words));
        return with_trouble(shared, visitor, order_id, trouble).await;
    }
    let mut response = page(&Page {
        proof: visitor.proof.clone(),
        visitor: Some(visitor),
        order,
        has_changed,
    });
    if has_changed {
        *response.status_mut() = StatusCode::PRECONDITION_FAILED;
    }
    Ok(response)
}

/// Calls the order off, as it was shown.
pub async fn cancel(
    State(shared): State<Shared>,
    PathOrder(order_id): PathOrder,
    Form { visitor, fields }: Form,
) -> Result<Response, Problem> {
    let versions = fields.get("version").parse().into_iter();
    let expected = Expected::OneOf(versions.collect());
    let caller = &visitor.principal;
    match shared.orders.cancel(caller, order_id, None, expected).await {
        Ok(_) => Ok(redirect(&format!("/v1/orders/{order_id}/details/"))),
        Err(Error::VersionMismatch { .. }) => confirm(&shared, visitor, order_id, true).await,
        Err(Error::StateConflict(conflict)) => {
            let trouble = Some((
                StatusCode::CONFLICT,
                format!("Nothing was changed: {conflict}."),
            ));
            with_trouble(&shared, visitor, order_id, trouble).await
        }
        Err(error) => Err(error.into()),
    }
}
