//! Inventory hands out what it holds; with this an order is confirmed. Undone by
//! [`Fulfilments::release_stock`], as Inventory knows both by the same reservation.

use crate::db::fulfilments::Fulfilment;
use crate::domain::event::Fact;

use super::attempt::Attempt;
use super::{Fulfilments, Keys};

impl Fulfilments {
    /// `repeat`: it may have been sent before.
    pub(super) async fn commit_stock(&self, fulfilment: &Fulfilment, repeat: bool) -> Attempt {
        let keys = Keys::of(fulfilment);
        let key = keys.key("commit_stock");
        let answer = self
            .peers
            .inventory
            .commit(
                keys.tag(&key),
                &keys.reservation_id,
                fulfilment.order.order_id,
                repeat,
            )
            .await;
        Attempt::of(
            answer,
            |()| Attempt::done([Fact::OrderConfirmed]),
            |reason| Some(Fact::StockCommitRefused { reason }),
        )
    }
}
