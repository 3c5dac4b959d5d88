//! Inventory hands out what it holds; with this an order is confirmed. Undone by
//! [`Fulfilments::release_stock`], as Inventory knows both by the same reservation.

use crate::db::fulfilments::Fulfilment;
use crate::domain::event::OrderEvent;
use crate::domain::plan::Outcome;

use super::attempt::Attempt;
use super::{Fulfilments, Keys};

impl Fulfilments {
    /// `repeat`: it may have been sent before.
    pub(super) async fn commit_stock(&self, fulfilment: &Fulfilment, repeat: bool) -> Attempt {
        let keys = Keys::of(fulfilment);
        let key = keys.reservation_key("commit_stock");
        let answer = self
            .peers
            .inventory
            .commit(
                keys.call_context(&key),
                &keys.reservation_id,
                fulfilment.order.order_id,
                repeat,
            )
            .await;
        let attempt = Attempt::of(
            answer,
            |()| Attempt::done([OrderEvent::OrderConfirmed]),
            |reason| Some(OrderEvent::StockCommitRefused { reason }),
        );
        // A reservation ends by itself, as when Payment was away for long: the stock may still be
        // there. That is tried once.
        if attempt.outcome == Outcome::Refused && fulfilment.lapsed == 0 {
            return Attempt {
                outcome: Outcome::Lapsed,
                ..attempt
            };
        }
        attempt
    }
}
