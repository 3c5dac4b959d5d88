//! Inventory holds the lines of an order; undone, it lets go of them.

use crate::db::fulfilments::Fulfilment;
use crate::domain::event::Fact;

use super::attempt::Attempt;
use super::{Fulfilments, Keys};

impl Fulfilments {
    pub(super) async fn reserve_stock(&self, fulfilment: &Fulfilment) -> Attempt {
        let keys = Keys::of(fulfilment);
        let key = keys.key("reserve_stock");
        let order = &fulfilment.order;
        let answer = self
            .peers
            .inventory
            .reserve(
                keys.tag(&key),
                &keys.reservation_id,
                order.order_id,
                &order.items,
            )
            .await;
        let reserved = Fact::StockReserved {
            reservation_id: keys.reservation_id.clone(),
        };
        Attempt::of(
            answer,
            |()| Attempt::done([reserved]),
            |reason| Some(Fact::StockRefused { reason }),
        )
    }

    /// Also undoes `commit_stock`: Inventory takes back what it had handed out.
    pub(super) async fn release_stock(&self, fulfilment: &Fulfilment) -> Attempt {
        let keys = Keys::of(fulfilment);
        let key = keys.key("release_stock");
        let answer = self
            .peers
            .inventory
            .release(
                keys.tag(&key),
                &keys.reservation_id,
                fulfilment.order.order_id,
            )
            .await;
        Attempt::of(answer, |()| Attempt::done([Fact::StockReleased]), |_| None)
    }
}
